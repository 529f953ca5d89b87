import { Attention, type AttentionMemory, type AttentionScore, Linear } from '../nn/index.js'
import { relu, tanh } from '../ops/elementwise.js'
import { PackedSequence, type Sequences } from '../packed.js'
import { type Matrix, type Tensor, zeros } from '../tensor.js'
import { type DecoderState, lastLayer, stepOf, swapped } from './decoderCell.js'
import {
  beside,
  Decoder,
  type DecoderOptions,
  type DecoderStep,
  type Memory,
  type StepInput,
} from './decoders.js'

/** The size of a decoder with attention. */
export interface AttentiveOptions extends DecoderOptions {
  /** How well a state and a word of the source fit. */
  score: AttentionScore
  /** The positions that the score 'location' knows. */
  maxLength: number
}

/** A decoder that looks at the words of the source. */
abstract class AttentiveDecoder extends Decoder {
  readonly attention: Attention
  readonly #longestSource: number

  /** @internal */
  constructor(options: AttentiveOptions, inputSize: number, querySize: number) {
    super(options, inputSize)
    const { device, generator } = this
    const { score, maxLength, encodedSize: memorySize, hiddenSize } = options
    this.attention = new Attention({
      ...{ device, generator, score, querySize, memorySize },
      ...(score === 'additive' && { hiddenSize }),
      ...(score === 'location' && { maxLength }),
    })
    this.#longestSource = score === 'location' ? maxLength : Infinity
  }

  override get attends(): boolean {
    return true
  }

  override get longestSource(): number {
    return this.#longestSource
  }

  override remember(encoded: PackedSequence): AttentionMemory {
    return this.attention.memory(encoded)
  }

  /** The contexts [M, C] of queries [M, Q] that `sequences` assigns to each sentence. @internal */
  protected attend(
    query: Matrix,
    sequences: Sequences,
    memory: Memory,
    weights = false,
  ): { context: Matrix; weights: Tensor<'float32', 1> | null } {
    if (memory.attention === null) throw new TypeError('wanted a memory with what `remember` returned')
    const packed = new PackedSequence(query, sequences)
    if (!weights) return { context: this.attention.forward(packed, memory.attention).data, weights: null }
    const found = this.attention.forward(packed, memory.attention, { weights })
    return { context: found.context.data, weights: found.weights }
  }
}

/**
 * Attention before the cell (Bahdanau et al. 2015): the state of the step before looks for its context c, the cell reads
 * [E y; c]. The output layer reads [s; c; E y], or s alone.
 */
export class BahdanauDecoder extends AttentiveDecoder {
  readonly featureSize: number
  readonly #deepOutput: boolean

  constructor(options: AttentiveOptions & { deepOutput: boolean }) {
    const { embeddingDim, hiddenSize, encodedSize, deepOutput } = options
    super(options, embeddingDim + encodedSize, hiddenSize)
    this.#deepOutput = deepOutput
    this.featureSize = deepOutput ? hiddenSize + encodedSize + embeddingDim : hiddenSize
  }

  step({ words, sequences, state, memory, weights }: StepInput): DecoderStep {
    const found = this.attend(lastLayer(state), sequences, memory, weights)
    const { output, h, c } = stepOf(this.rnn, beside(words, found.context), state)
    const features = this.#deepOutput ? beside(output, found.context, words) : output
    return { features, state: { h, c, fed: null }, weights: found.weights }
  }
}

/**
 * Attention after the cell (Luong et al. 2015): the new state looks for its context c, and h̃ = tanh(W [c; h]) goes to the output
 * layer. With input feeding the cell also reads the h̃ of the step before; without, all steps of a batch are one call.
 */
export class LuongDecoder extends AttentiveDecoder {
  readonly featureSize: number
  readonly combine: Linear
  readonly #feeds: boolean

  constructor(options: AttentiveOptions & { inputFeeding: boolean }) {
    const { embeddingDim, hiddenSize, encodedSize, inputFeeding } = options
    super(options, embeddingDim + (inputFeeding ? hiddenSize : 0), hiddenSize)
    const { device, generator } = this
    const inFeatures = encodedSize + hiddenSize
    this.combine = new Linear({ device, generator, inFeatures, outFeatures: hiddenSize, bias: false })
    this.#feeds = inputFeeding
    this.featureSize = hiddenSize
  }

  override start(h: Tensor<'float32', 3>, c: Tensor<'float32', 3> | null): DecoderState {
    const { device } = this
    return { h, c, fed: this.#feeds ? zeros([h.shape[0], h.shape[2]], { device }) : null }
  }

  step({ words, sequences, state, memory, weights }: StepInput): DecoderStep {
    const x = state.fed ? beside(words, state.fed) : words
    const { output, h, c } = stepOf(this.rnn, x, state)
    const found = this.attend(output, sequences, memory, weights)
    const features = tanh(this.combine.forward(beside(found.context, output)))
    return { features, state: { h, c, fed: this.#feeds ? features : null }, weights: found.weights }
  }

  override whole(words: PackedSequence, { h, c }: DecoderState, memory: Memory): PackedSequence | null {
    if (this.#feeds) return null
    const { sequences } = words
    const { output } = this.rnn.forward(words, { h: swapped(h), c: c && swapped(c) })
    const { context } = this.attend(output.data, sequences, memory)
    return new PackedSequence(tanh(this.combine.forward(beside(context, output.data))), sequences)
  }
}

/**
 * The decoder of PyTorch's translation tutorial of 2017 to 2023: attention by position reads [E y; s], and the cell reads
 * relu(W [E y; c]).
 */
export class TutorialDecoder extends AttentiveDecoder {
  readonly featureSize: number
  readonly combine: Linear

  constructor(options: AttentiveOptions) {
    const { embeddingDim, hiddenSize, encodedSize } = options
    super(options, hiddenSize, embeddingDim + hiddenSize)
    const { device, generator } = this
    const inFeatures = embeddingDim + encodedSize
    this.combine = new Linear({ device, generator, inFeatures, outFeatures: hiddenSize })
    this.featureSize = hiddenSize
  }

  step({ words, sequences, state, memory, weights }: StepInput): DecoderStep {
    const found = this.attend(beside(words, lastLayer(state)), sequences, memory, weights)
    const x = relu(this.combine.forward(beside(words, found.context)))
    const { output, h, c } = stepOf(this.rnn, x, state)
    return { features: output, state: { h, c, fed: null }, weights: found.weights }
  }
}
