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

/** Options of `Classifier`. */
export interface ClassifierOptions extends ModuleOptions {
  /** The layers; a whole `Preset` is accepted, too. */
  preset: ClassifierLayers
  /** V, the number of words, including the one for unknown words. */
  vocabularySize: number
  /** The number of categories. */
  classes: number
  /** The size of a word vector. */
  embeddingDim: number
  /** How the states of a document become one vector; default 'final'. */
  pooling?: Pooling
  /** Word vectors [V, embeddingDim]. Without them, the vectors are initialized randomly and trained. */
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
 * A classifier of documents: word vectors, an LSTM, pooling of its states, and a linear layer.
 *
 * @example
 * ```ts
 * import { packIds } from 'packed-rnn'
 * import { Classifier, presets } from 'packed-rnn/models'
 *
 * const preset = { ...presets['lstm64-adam'], hiddenSize: 4 }
 * const model = new Classifier({ preset, vocabularySize: 9, classes: 2, embeddingDim: 3 })
 * console.log(model.forward(packIds([[2, 3], [4]])).shape) // [2, 2]
 * ```
 */
export class Classifier extends Module {
  /** The word vectors. */
  readonly embedding: Embedding
  /** The recurrent layers. */
  readonly lstm: LSTM
  /** The layer that maps a document's vector to logits. */
  readonly classifier: Linear
  /** How the states of a document become one vector. */
  readonly pooling: Pooling

  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE if a size is below 1; ERR_SHAPE if `vectors` has the wrong length;
   * ERR_INVALID_ARGUMENT if the pooling or an option is unknown, also in `preset`.
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
      // Dropout acts between layers. With one layer, 0 avoids the warning of LSTM.
      dropout: numLayers > 1 ? dropout : 0,
    })
    const inFeatures = (bidirectional ? 2 : 1) * (pooling === 'concat' ? 3 : 1) * hiddenSize
    this.classifier = new Linear({ ...common, inFeatures, outFeatures: classes })
  }

  /**
   * Returns the logits [B, classes] of packed documents.
   * @throws PackedRnnError ERR_OUT_OF_RANGE if an id is V or more; ERR_DISPOSED.
   */
  forward(ids: PackedIds): Tensor<'float32', 2> {
    return this.logits(this.embedding.forward(ids))
  }

  /**
   * Returns the logits [B, classes] of documents whose word vectors were looked up before.
   * @param vectors packed rows [N, embeddingDim].
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
