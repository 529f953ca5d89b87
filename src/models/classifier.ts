import { checkInteger, checkOptions, checkWord, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { Embedding, Linear, LSTM, type LstmOutput, Module, type ModuleOptions } from '../nn/index.js'
import { moduleNames } from '../nn/module.js'
import type { PackedIds, PackedSequence } from '../packed.js'
import type { Tensor } from '../tensor.js'
import { type Pooling, poolings } from './pooling.js'
import { type Preset, presetNames } from './presets.js'

/** The layers of a classifier. */
export type ClassifierLayers = Pick<
  Preset,
  'hiddenSize' | 'numLayers' | 'bidirectional' | 'dropout' | 'tuneEmbedding'
>

/** The size of a classifier, and its word vectors. */
export interface ClassifierOptions extends ModuleOptions {
  preset: ClassifierLayers
  /** V, the row of unknown words included. */
  vocabularySize: number
  classes: number
  embeddingDim: number
  /** How the states of a document become one vector; default 'final'. */
  pooling?: Pooling
  /** Word vectors [V, embeddingDim]; without, they start random and are trained. */
  vectors?: Float32Array
}

const optionNames: OptionNames<ClassifierOptions> = {
  ...moduleNames,
  preset: true,
  vocabularySize: true,
  classes: true,
  embeddingDim: true,
  pooling: true,
  vectors: true,
}

/**
 * Word vectors, an LSTM, and a linear layer on what its states pool to: a category for each document.
 *
 * @example
 * ```ts
 * import { packSequence } from 'packed-rnn'
 * import { Classifier, presets } from 'packed-rnn/models'
 *
 * const preset = { ...presets['lstm64-adam'], hiddenSize: 4 }
 * const model = new Classifier({ preset, vocabularySize: 9, classes: 2, embeddingDim: 3 })
 * console.log(model.forward(packSequence([[2, 3], [4]])).shape) // [2, 2]
 * ```
 */
export class Classifier extends Module {
  /** The word vectors. */
  readonly embedding: Embedding
  /** The layers above them. */
  readonly lstm: LSTM
  /** From a document's vector to its logits. */
  readonly classifier: Linear
  /** From a document's states to its vector. */
  readonly pooling: Pooling

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a size below 1, ERR_SHAPE for another number of `vectors`,
   * ERR_INVALID_ARGUMENT for an unknown pooling or option, also in `preset`, which may have all that a `Preset` has.
   */
  constructor(options: ClassifierOptions) {
    checkOptions('Classifier', options, optionNames)
    checkOptions('Classifier', options.preset, presetNames, 'options.preset')
    super(options)
    const { preset, vocabularySize, classes, embeddingDim, vectors, pooling = 'final' } = options
    checkWord('Classifier', 'pooling', pooling, poolings)
    checkInteger('Classifier', 'vocabularySize', vocabularySize, 1)
    checkInteger('Classifier', 'embeddingDim', embeddingDim, 1)
    const numbers = vocabularySize * embeddingDim
    if (vectors !== undefined && vectors.length !== numbers) {
      throw badArgument('Classifier', 'vectors', `${numbers} numbers`, vectors.length, 'ERR_SHAPE')
    }
    this.pooling = pooling
    const { hiddenSize, numLayers, bidirectional, dropout, tuneEmbedding } = preset
    const common = { device: this.device, generator: this.generator }
    this.embedding =
      vectors === undefined
        ? new Embedding({ ...common, numEmbeddings: vocabularySize, embeddingDim })
        : Embedding.fromPretrained(vectors, embeddingDim, { ...common, freeze: !tuneEmbedding })
    this.lstm = new LSTM({
      ...common,
      inputSize: embeddingDim,
      hiddenSize,
      numLayers,
      bidirectional,
      // Between layers only: with one layer there is nothing to drop, and nothing to warn of.
      dropout: numLayers > 1 ? dropout : 0,
    })
    const inFeatures = (bidirectional ? 2 : 1) * (pooling === 'concat' ? 3 : 1) * hiddenSize
    this.classifier = new Linear({ ...common, inFeatures, outFeatures: classes })
  }

  /**
   * Logits [B, classes].
   * @throws PackedRnnError ERR_OUT_OF_RANGE for an id of V or more; ERR_DISPOSED.
   */
  forward(ids: PackedIds): Tensor<'float32', 2> {
    return this.logits(this.embedding.forward(ids))
  }

  /**
   * `forward`, from word vectors on.
   * @param vectors rows of `embeddingDim` numbers
   * @throws PackedRnnError ERR_SHAPE, ERR_DEVICE, ERR_DISPOSED.
   */
  logits(vectors: PackedSequence): Tensor<'float32', 2> {
    return this.classifier.forward(this.#pool(this.lstm.forward(vectors)))
  }

  #pool(states: LstmOutput<PackedSequence, 3>): Tensor<'float32', 2> {
    switch (this.pooling) {
      case 'final':
        return states.lastHidden()
      case 'notebook-last':
        return states.lastOutput()
      case 'max':
        return states.maxPool()
      case 'mean':
        return states.meanPool()
      case 'concat':
        return states.concatPool()
    }
  }
}
