/**
 * Models: modules for a task, each in one file.
 * @module
 */

export type { Bridge } from './bridge.js'
export { Classifier, type ClassifierLayers, type ClassifierOptions } from './classifier.js'
export type { DecoderState } from './decoderCell.js'
export type { DecoderKind } from './decoderKinds.js'
export type { Decoder, DecoderOptions, DecoderStep, Memory, StepInput } from './decoders.js'
export type { CellKind, Encoder, EncoderOptions } from './encoder.js'
export type { Initial } from './initial.js'
export {
  type LanguageDecoderState,
  LanguageModel,
  type LanguageModelDropout,
  type LanguageModelLayers,
  type LanguageModelOptions,
  type LanguageModelOutput,
  type LanguageModelState,
} from './languageModel.js'
export { type LanguagePreset, type LanguagePresetName, languagePresets } from './languagePresets.js'
export type { Pooling } from './pooling.js'
export { type Preset, type PresetName, presets } from './presets.js'
export {
  type Decoding,
  Seq2Seq,
  type Seq2SeqForwardOptions,
  type Seq2SeqLayers,
  type Seq2SeqOptions,
} from './seq2seq.js'
export { type TranslationPreset, type TranslationPresetName, translationPresets } from './seq2seqPresets.js'
export { transferRows } from './transfer.js'
