import type { OptionNames } from '../check.js'
import type { Device } from '../device.js'
import type { LanguageModelLayers } from '../models/languageModel.js'
import type { Generator } from '../random.js'

/** Options of the language model learner. */

/** Options of `languageModelLearner`. */
export interface LearnerOptions {
  /** Multiplies all probabilities of dropout; default 1. */
  dropMult?: number
  /** Other sizes or dropout than those of the preset `fastai-v1`. */
  layers?: Partial<LanguageModelLayers>
  device?: Device
  /** Draws the initial parameters and the dropout; default the default generator. */
  generator?: Generator
}

export const learnerNames: OptionNames<LearnerOptions> = {
  dropMult: true,
  layers: true,
  device: true,
  generator: true,
}

/**
 * A learning rate for all groups of layers; or `{ from, to }`, equal ratios from the first group to the last; or `{ to }`, a tenth of it
 * for all groups but the last. fast.ai writes `lr`, `slice(from, to)` and `slice(to)`.
 */
export type LearningRate = number | { from?: number; to: number }

/** Options of `LanguageLearner.fit`. */
export interface FitOptions {
  /** Decoupled weight decay; default 0.01. */
  weightDecay?: number
  /** Stops before the next step, with the signal's reason. */
  signal?: AbortSignal
}

/** Options of `LanguageLearner.fitOneCycle`. */
export interface FitOneCycleOptions extends FitOptions {
  /** Default [0.95, 0.85]. */
  momentums?: readonly [number, number]
  /** Default 25. */
  divFactor?: number
  /** Default 0.3. */
  pctStart?: number
}

export const fitNames: OptionNames<FitOneCycleOptions> = {
  weightDecay: true,
  signal: true,
  momentums: true,
  divFactor: true,
  pctStart: true,
}

/** Options of `LanguageLearner.predict`. */
export interface PredictWordsOptions {
  /** Whether `xxunk` is never written; default true. */
  noUnk?: boolean
  /** Default 1. */
  temperature?: number
  /** Words of a lower probability are not drawn; default 0. */
  minP?: number
  /** What stands between words; default a space. */
  sep?: string
  /** Of the draws; default 0. */
  seed?: number
  signal?: AbortSignal
}

export const predictNames: OptionNames<PredictWordsOptions> = {
  noUnk: true,
  temperature: true,
  minP: true,
  sep: true,
  seed: true,
  signal: true,
}

/** Options of `LanguageLearner.beamSearch`. */
export interface BeamSearchTextOptions extends Omit<PredictWordsOptions, 'minP'> {
  /** Words of each text that compete to be the next one; default 10. */
  topK?: number
  /** Texts that live at the same time; default 1000. */
  beamSz?: number
  /**
   * False, the default: as fast.ai's first version. The temperature changes only the last draw, among the texts that are left, and a
   * prompt is written twice. True: the temperature changes each step, the text ends at `xxbos`, the best one is returned, and the prompt
   * is written once.
   */
  fixed?: boolean
  /** α of a score log p / length^α, with `fixed`; default 0. */
  lengthPenalty?: number
}

export const beamNames: OptionNames<BeamSearchTextOptions> = {
  noUnk: true,
  temperature: true,
  sep: true,
  seed: true,
  signal: true,
  topK: true,
  beamSz: true,
  fixed: true,
  lengthPenalty: true,
}
