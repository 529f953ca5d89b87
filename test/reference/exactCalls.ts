import * as exact from './exact.js'
import { type NdArray, nd } from './exact.js'

/** The tape's ops in float64 by name, with arguments by name: how suites, random cases and fixtures call them. */

/** Arguments by name; a call knows which of them its cases have. */
export type Named<T> = Readonly<Record<string, T>>
export type Exact = NdArray | exact.Rows
type ExactCall = (
  x: Named<NdArray>,
  options: TapeOptions,
  integers: Named<NdArray>,
) => Exact | readonly Exact[]

/** Numbers of a given shape, row-major. */
export interface Values {
  readonly shape: readonly number[]
  readonly data: readonly number[]
}

/** A call of an op with all but the numbers of its inputs. */
export interface TapeCase {
  /** The shapes of what gets a gradient. */
  inputs: Named<readonly number[]>
  /** What gets none. */
  constants?: Named<Values>
  integers?: Named<Values>
  options?: TapeOptions
}

/** What is not a tensor, of all calls. */
export interface TapeOptions {
  /** A number in the place of that tensor. */
  a?: number
  b?: number
  min?: number
  max?: number
  dim?: number
  /** In the place of `dim`, or of `dim0` and `dim1`. */
  dims?: number[]
  keepdim?: boolean
  p?: 1 | 2 | typeof Infinity
  k?: number
  largest?: boolean
  eps?: number
  shape?: number[]
  sizes?: number | number[]
  start?: number
  length?: number
  shift?: number
  value?: number
  classes?: number
  /** Of the sequences that `rows` are packed in, and `more`. */
  lengths?: readonly number[]
  moreLengths?: readonly number[]
  /** Of the packed queries of attention; without them there is one query for each sequence. */
  queries?: readonly number[]
  scale?: number
  causal?: boolean
  counts?: number[]
  by?: number
  fill?: number
  kernelSize?: number
  dilation?: number
  padding?: 'causal' | 'same' | 'valid'
  training?: boolean
  momentum?: number
  reduction?: 'mean' | 'sum' | 'none'
  ignoreIndex?: number
  labelSmoothing?: number
}

// The options of a call that are given ------------------------------------------------------------------------

export function reducedOptions({ dim, dims, keepdim }: TapeOptions): {
  dim?: number | number[]
  keepdim?: boolean
} {
  const along = dims ?? dim
  return { ...(along !== undefined && { dim: along }), ...(keepdim !== undefined && { keepdim }) }
}

export function similarityOptions({ dim, eps }: TapeOptions): { dim?: number; eps?: number } {
  return { ...(dim !== undefined && { dim }), ...(eps !== undefined && { eps }) }
}

export function windowOptions({ kernelSize = 1, dilation, padding = 'causal' }: TapeOptions) {
  return { kernelSize, padding, ...(dilation !== undefined && { dilation }) }
}

export function batchNormOptions({ training, momentum, eps }: TapeOptions) {
  return {
    ...(training !== undefined && { training }),
    ...(momentum !== undefined && { momentum }),
    ...(eps !== undefined && { eps }),
  }
}

export function nllOptions({ reduction, ignoreIndex }: TapeOptions) {
  return { ...(reduction && { reduction }), ...(ignoreIndex !== undefined && { ignoreIndex }) }
}

export function crossEntropyOptions(o: TapeOptions) {
  return { ...nllOptions(o), ...(o.labelSmoothing !== undefined && { labelSmoothing: o.labelSmoothing }) }
}

export function attentionOptions({ scale, causal }: TapeOptions) {
  return { ...(scale !== undefined && { scale }), ...(causal !== undefined && { causal }) }
}

// The calls ---------------------------------------------------------------------------------------------------

const UNARIES = {
  neg: exact.neg,
  exp: exact.exp,
  log: exact.log,
  sqrt: exact.sqrt,
  abs: exact.abs,
  softplus: exact.softplus,
  sigmoid: exact.sigmoid,
  tanh: exact.tanh,
  relu: exact.relu,
  gelu: exact.gelu,
  softmax: (x: NdArray, { dim }: TapeOptions = {}) => exact.softmax(x, dim),
  logSoftmax: (x: NdArray, { dim }: TapeOptions = {}) => exact.logSoftmax(x, dim),
}

const BINARIES = {
  add: exact.add,
  sub: exact.sub,
  mul: exact.mul,
  div: exact.div,
  pow: exact.pow,
  maximum: exact.maximum,
  minimum: exact.minimum,
  eq: exact.eq,
  gt: exact.gt,
  lt: exact.lt,
}

/** All inputs in the order of their names: x0, x1, … */
export function listed<T>(x: Named<T>): T[] {
  return Object.keys(x)
    .sort()
    .map(name => x[name]!)
}

const sequences = (rows: NdArray | undefined, lengths: readonly number[] = []): exact.Rows => ({
  rows: rows!,
  lengths,
})

/** `query`, `keys` and `values` of attention. */
const attentionRows = ({ query, keys, values }: Named<NdArray>, { queries, lengths = [] }: TapeOptions) =>
  [
    sequences(query, queries ?? lengths.map(() => 1)),
    sequences(keys, lengths),
    sequences(values, lengths),
  ] as const
/** In the form of the query. */
const contextOf = ({ context }: exact.Attended, { queries }: TapeOptions) =>
  queries === undefined ? context.rows : context

/** Of `x`, and as `expPacked` of the `rows` of sequences. */
const unaryCalls = Object.entries(UNARIES).flatMap(([name, f]): [string, ExactCall][] => [
  [name, ({ x }, o) => f(x!, o)],
  [`${name}Packed`, ({ rows }, o) => sequences(f(rows!, o), o.lengths)],
])

/** Of `a` and `b`, one of which may be a number of the options. */
const binaryCalls = Object.entries(BINARIES).map(([name, f]): [string, ExactCall] => [
  name,
  (x, o) => f(x.a ?? o.a!, x.b ?? o.b!),
])

function layer(x: NdArray, weight: NdArray, bias: NdArray | undefined): NdArray {
  const y = exact.matmul(x, exact.transpose(weight, 0, 1))
  return bias === undefined ? y : exact.add(y, bias)
}

export const exactCalls: Named<ExactCall> = {
  ...Object.fromEntries([...unaryCalls, ...binaryCalls]),
  where: (x, o) => exact.where(x.condition!, x.a ?? o.a!, x.b ?? o.b!),
  clamp: ({ x }, o) => exact.clamp(x!, o),
  clampPacked: ({ rows }, o) => sequences(exact.clamp(rows!, o), o.lengths),
  sum: ({ x }, o) => exact.sum(x!, reducedOptions(o)),
  mean: ({ x }, o) => exact.mean(x!, reducedOptions(o)),
  amax: ({ x }, o) => exact.amax(x!, reducedOptions(o)),
  amin: ({ x }, o) => exact.amin(x!, reducedOptions(o)),
  argmax: ({ x }, o) => exact.argmax(x!, reducedOptions(o)),
  logsumexp: ({ x }, o) => exact.logsumexp(x!, { dim: -1, ...reducedOptions(o) }),
  norm: ({ x }, o) => exact.norm(x!, { ...reducedOptions(o), ...(o.p && { p: o.p }) }),
  cumsum: ({ x }, o) => exact.cumsum(x!, o.dim!),
  cummax: ({ x }, o) => exact.cummax(x!, o.dim!),
  cummaxIndices: ({ x }, o) => exact.cummaxIndices(x!, o.dim!),
  topk: ({ x }, o) => exact.topk(x!, o.k!, o).values,
  topkIndices: ({ x }, o) => exact.topk(x!, o.k!, o).indices,
  matmul: ({ a, b }) => exact.matmul(a!, b!),
  bmm: ({ a, b }) => exact.matmul(a!, b!),
  linear: ({ x, weight, bias }) => layer(x!, weight!, bias),
  linearPacked: ({ rows, weight, bias }, o) => sequences(layer(rows!, weight!, bias), o.lengths),
  cosineSimilarity: ({ a, b }, o) => exact.cosineSimilarity(a!, b!, similarityOptions(o)),
  reshape: ({ x }, o) => exact.reshape(x!, o.shape!),
  clone: ({ x }) => x!,
  transpose: ({ x }, o) => exact.transpose(x!, o.dims![0]!, o.dims![1]!),
  permute: ({ x }, o) => exact.permute(x!, o.dims!),
  squeeze: ({ x }, o) => exact.squeeze(x!, o.dim),
  unsqueeze: ({ x }, o) => exact.unsqueeze(x!, o.dim!),
  expand: ({ x }, o) => exact.expand(x!, o.shape!),
  cat: (x, o) => exact.cat(listed(x), o.dim),
  stack: (x, o) => exact.stack(listed(x), o.dim),
  split: ({ x }, o) => exact.split(x!, o.sizes!, o.dim),
  narrow: ({ x }, o) => exact.narrow(x!, o.dim!, o.start!, o.length!),
  roll: ({ x }, o) => exact.roll(x!, o.shift!, o.dim!),
  flip: ({ x }, o) => exact.flip(x!, o.dim!),
  indexSelect: ({ x }, o, { index }) => exact.indexSelect(x!, o.dim!, index!.data),
  gather: ({ x }, o, { index }) => exact.gather(x!, o.dim!, index!),
  scatterAdd: ({ x, source }, o, { index }) => exact.scatterAdd(x!, o.dim!, index!, source!),
  maskedFill: ({ x, mask }, o) => exact.maskedFill(x!, mask!, o.value!),
  oneHot: (_, o, { labels }) => exact.oneHot(labels!, o.classes!),
  repeatRows: ({ x }, o) => exact.repeatRows(x!, o.lengths!),
  segmentSum: ({ rows }, o) => exact.segmentSum(sequences(rows, o.lengths)),
  segmentMean: ({ rows }, o) => exact.segmentMean(sequences(rows, o.lengths)),
  segmentMax: ({ rows }, o) => exact.segmentMax(sequences(rows, o.lengths)),
  segmentLogsumexp: ({ rows }, o) => exact.segmentLogsumexp(sequences(rows, o.lengths)),
  segmentSoftmax: ({ rows }, o) => exact.segmentSoftmax(sequences(rows, o.lengths)),
  flipSequences: ({ rows }, o) => exact.flipSequences(sequences(rows, o.lengths)),
  shift: ({ rows }, o) => exact.shift(sequences(rows, o.lengths), o.by!, o.fill),
  unfold: ({ rows }, o) => exact.unfold(sequences(rows, o.lengths), windowOptions(o)),
  dotAttention: (x, o) => contextOf(exact.dotAttention(...attentionRows(x, o), attentionOptions(o)), o),
  additiveAttention: (x, o) => contextOf(exact.additiveAttention(...attentionRows(x, o), x.v!), o),
  concatSequences: ({ rows, more }, o) =>
    exact.concatSequences(sequences(rows, o.lengths), sequences(more, o.moreLengths)),
  splitSequences: ({ rows }, o) => exact.splitSequences(sequences(rows, o.lengths), o.counts!),
  layerNorm: ({ x, weight, bias }, o) => exact.layerNorm(x!, weight, bias, o),
  layerNormPacked: ({ rows, weight, bias }, o) =>
    sequences(exact.layerNorm(rows!, weight, bias, o), o.lengths),
  batchNorm: ({ x, ...others }, o) => exact.batchNorm(x!, { ...others, ...batchNormOptions(o) }).y,
  batchNormPacked: ({ rows, ...others }, o) =>
    sequences(exact.batchNorm(rows!, { ...others, ...batchNormOptions(o) }).y, o.lengths),
  weightNorm: ({ v, g }, o) => exact.weightNorm(v!, g!, o),
  crossEntropy: ({ logits, weight = null }, o, { labels }) =>
    exact.crossEntropy(logits!, labels!.data, { ...crossEntropyOptions(o), weight }),
  nllLoss: ({ logProbabilities, weight = null }, o, { labels }) =>
    exact.nllLoss(logProbabilities!, labels!.data, { ...nllOptions(o), weight }),
  mseLoss: ({ input, target }, o) => exact.mseLoss(input!, target!, o),
  bceWithLogits: ({ logits, targets, weight = null, posWeight = null }, o) =>
    exact.bceWithLogits(logits!, targets!, { ...nllOptions(o), weight, posWeight }),
}

/** A case of an op in float64, of these numbers in its inputs. */
export function exactCall(op: string, given: TapeCase, value: (name: string) => ArrayLike<number>): Exact[] {
  const x: Record<string, NdArray> = {}
  const integers: Record<string, NdArray> = {}
  for (const [name, shape] of Object.entries(given.inputs)) x[name] = nd(shape, value(name))
  for (const [name, { shape, data }] of Object.entries(given.constants ?? {})) {
    // Constants are float32 where the op gets them.
    x[name] = nd(shape, Float32Array.from(data))
  }
  for (const [name, { shape, data }] of Object.entries(given.integers ?? {})) integers[name] = nd(shape, data)
  return [exactCalls[op]!(x, given.options ?? {}, integers)].flat()
}

export function exactResults(found: readonly Exact[]): NdArray[] {
  return found.map(one => ('rows' in one ? one.rows : one))
}
