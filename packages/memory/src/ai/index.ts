export { ModelEmbedder, type ModelEmbedderDeps } from "./model-embedder.ts";
export {
  episodeInstructions,
  ModelExtractor,
  type ModelExtractorDeps,
  preferenceInstructions,
  summaryInstructions,
} from "./model-extractor.ts";
export { ModelReflector, type ModelReflectorDeps } from "./model-reflector.ts";
