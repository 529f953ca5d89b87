/**
 * Decoding: greedy, sampling and beam search over any step function with a state.
 * @module
 */

export type { State } from '../state.js'
export { type BeamOptions, beamSearch, type CoverageOptions, type LengthPenalty } from './beam.js'
export type { Hypothesis } from './beamSentence.js'
export { greedy, greedyStream } from './greedy.js'
export type { Decoded, DecodeOptions } from './options.js'
export { gatherRows, stateBytes } from './rows.js'
export { type SampleOptions, sample, sampleStream } from './sample.js'
export type { DecodeResult, DecodeStep } from './step.js'
export type { DecodedTokens } from './tokens.js'
