export { ModelEmbedder, type ModelEmbedderDeps } from "./model-embedder.ts";
export {
  episodeInstructions,
  ModelExtractor,
  type ModelExtractorDeps,
  summaryInstructions,
} from "./model-extractor.ts";
