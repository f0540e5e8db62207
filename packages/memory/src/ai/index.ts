export { ModelExtractor, type ModelExtractorDeps } from "./model-extractor.ts";
