import { checkInteger } from '../check.js'
import {
  Dropout,
  Embedding,
  GRU,
  LSTM,
  Module,
  type ModuleOptions,
  type RecurrentOutput,
} from '../nn/index.js'
import type { PackedIds } from '../packed.js'

/** The recurrent layers of an encoder or a decoder. */
export type CellKind = 'lstm' | 'gru'

/** The size of an encoder. */
export interface EncoderOptions extends ModuleOptions {
  cell: CellKind
  /** V, the words that it reads. */
  vocabularySize: number
  embeddingDim: number
  /** H of each direction. */
  hiddenSize: number
  numLayers: number
  bidirectional: boolean
  /** Of words, and between layers. */
  dropout: number
}

/**
 * Reads sentences: words, dropout, recurrent layers. `Seq2Seq` makes it.
 *
 * @example
 * ```ts
 * import { packIds } from 'packed-rnn'
 * import { Seq2Seq } from 'packed-rnn/models'
 *
 * const sizes = { sourceVocabularySize: 9, targetVocabularySize: 9, embeddingDim: 4, hiddenSize: 8 }
 * const { encoder } = new Seq2Seq(sizes)
 * console.log(encoder.forward(packIds([[2, 3], [4]])).output.data.shape) // [3, 8]
 * ```
 */
export class Encoder extends Module {
  readonly embedding: Embedding
  readonly dropout: Dropout
  readonly rnn: LSTM | GRU

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for a size below 1 or a probability outside [0, 1]. */
  constructor(options: EncoderOptions) {
    super(options)
    const { cell, vocabularySize, embeddingDim, hiddenSize, numLayers, bidirectional, dropout } = options
    checkInteger('Encoder', 'vocabularySize', vocabularySize, 1)
    const common = { device: this.device, generator: this.generator }
    this.embedding = new Embedding({ ...common, numEmbeddings: vocabularySize, embeddingDim })
    this.dropout = new Dropout({ ...common, p: dropout })
    this.rnn = layersOf(cell, {
      ...common,
      inputSize: embeddingDim,
      hiddenSize,
      numLayers,
      bidirectional,
      dropout: numLayers > 1 ? dropout : 0,
    })
  }

  /** The states of the last layer for each word [N, D·H], and the states after each sentence [L·D, B, H]. */
  forward(ids: PackedIds): RecurrentOutput {
    return this.rnn.forward(this.dropout.forward(this.embedding.forward(ids)))
  }
}

/** LSTM or GRU layers. @internal */
export function layersOf(cell: CellKind, options: ConstructorParameters<typeof GRU>[0]): LSTM | GRU {
  return cell === 'lstm' ? new LSTM(options) : new GRU(options)
}
