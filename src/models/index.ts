/**
 * Models: modules for a task, each in one file.
 * @module
 */
export { Classifier, type ClassifierLayers, type ClassifierOptions } from './classifier.js'
export type { Pooling } from './pooling.js'
export { type Preset, type PresetName, presets } from './presets.js'
