import { add, mul, tanh } from '../ops/elementwise.js'
import { indexSelect } from '../ops/indexing.js'
import { matmul } from '../ops/products.js'
import { repeatRows, segmentSoftmax, segmentSum } from '../ops/segments.js'
import { PackedSequence, Sequences } from '../packed.js'
import { type Matrix, ranked, type Tensor, type Vector } from '../tensor.js'
import { reshape } from '../ops/shape.js'
import { Linear } from './linear.js'
import { Module, type ModuleOptions } from './module.js'

export type AttentionScore = 'additive' | 'general' | 'location'
export interface AttentionMemory { keys: PackedSequence; values: PackedSequence }
export class Attention extends Module {
  readonly query: Linear
  readonly key: Linear
  v: Vector
  constructor(options: ModuleOptions & { score: AttentionScore; querySize: number; memorySize: number; hiddenSize: number; maxLength: number }) {
    super(options)
    const { querySize, memorySize, hiddenSize } = options
    const { device, generator } = this
    this.query = new Linear({ device, generator, inFeatures: querySize, outFeatures: hiddenSize })
    this.key = new Linear({ device, generator, inFeatures: memorySize, outFeatures: hiddenSize, bias: false })
    this.v = this.uniform<1>('v', [hiddenSize], 1 / Math.sqrt(hiddenSize))
  }
  memory(values: PackedSequence): AttentionMemory {
    return { keys: this.key.forward(values), values }
  }
  forward(query: PackedSequence, memory: AttentionMemory, _o: { weights: boolean }): { context: PackedSequence; weights: Tensor<'float32', 1> } {
    const own = query.sequences
    const keys = memory.keys.sequences
    const index: number[] = []
    const lengths: number[] = []
    for (let b = 0; b < own.batchSize; b++)
      for (let i = 0; i < own.length(b); i++) {
        lengths.push(keys.length(b))
        for (let j = 0; j < keys.length(b); j++) index.push(keys.offsets[b]! + j)
      }
    const at = Int32Array.from(index)
    const each = new Sequences(lengths)
    const q = repeatRows(this.query.forward(query.data), each)
    const k = indexSelect(memory.keys.data, 0, at)
    const scores = matmul(tanh(add(q.data, k)), reshape(this.v, [this.v.shape[0], 1]))
    const w = segmentSoftmax(new PackedSequence(ranked(scores, 2), each))
    const context = segmentSum(new PackedSequence(ranked(mul(indexSelect(memory.values.data, 0, at), w.data), 2), each))
    return { context: new PackedSequence(context, own), weights: reshape(w.data, [index.length]) }
  }
}
