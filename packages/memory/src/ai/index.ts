export {
  episodeInstructions,
  ModelExtractor,
  type ModelExtractorDeps,
  summaryInstructions,
} from "./model-extractor.ts";
