import * as v from 'valibot'
import { checkInstance, checkInteger, checkOptions, checkWord } from '../check.js'
import type { Device } from '../device.js'
import { badArgument, badFile, ofFile } from '../errors.js'
import { Classifier, type ClassifierLayers } from '../models/classifier.js'
import { poolingName } from '../models/pooling.js'
import { type PresetName, presetName, presets } from '../models/presets.js'
import { type Dialect, dialects } from '../text/gnad.js'
import { LabelEncoder } from '../text/labels.js'
import { type Tokenizer, tokenizers } from '../text/tokenize.js'
import { Vocabulary } from '../text/vocabulary.js'
import { FIRST_TASK, loadTrained, type RunFiles, type RunKind, saveTrained } from '../training/runFiles.js'

/** The task's name, in a run's files and on the command line. */
export const CLASSIFICATION = FIRST_TASK

/** A trained classifier with what turns a text into its input and its output into a category. */
export interface Run {
  /** The preset whose layers it has; null for others. */
  preset: PresetName | null
  /** How its articles were read. */
  dialect: Dialect
  /** The posts that it was trained on instead of articles: those of a category, without those of a fold. */
  posts: { category: string; fold: number } | null
  tokenizer: keyof typeof tokenizers
  vocabulary: Vocabulary
  labels: LabelEncoder
  model: Classifier
}

const size = v.pipe(v.number(), v.integer(), v.minValue(1))

const common = {
  dialect: v.picklist(dialects),
  posts: v.optional(v.nullable(v.object({ category: v.string(), fold: v.number() })), null),
  tokenizer: v.string(),
  padding: v.picklist(['shared', 'own']),
  pooling: v.string(),
  embeddingDim: size,
  classes: v.pipe(v.array(v.string()), v.minLength(1)),
  /** Without unknown ones and padding. */
  words: v.array(v.string()),
}

const layers = v.object({
  hiddenSize: size,
  numLayers: size,
  bidirectional: v.boolean(),
  dropout: v.number(),
  tuneEmbedding: v.boolean(),
})

/** What config.json holds of a classifier. */
const configSchema = v.object({ preset: v.nullable(v.string()), layers, ...common })

type Config = v.InferOutput<typeof configSchema>

/** What version 0.1 wrote: a classifier of a preset. */
const configSchemaBefore = v.pipe(
  v.object({ preset: v.picklist(Object.keys(presets) as PresetName[]), ...common }),
  v.transform((config): Config => ({ ...config, layers: presets[config.preset] })),
)

/** How classifiers are kept. */
export const classifierRun: RunKind<Run, Config> = {
  task: CLASSIFICATION,
  schema: configSchema,
  earlier: { 'packed-rnn run 1': configSchemaBefore },
  save,
  load,
}

/**
 * The ids of a text, by the run's tokenizer and vocabulary.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown tokenizer.
 *
 * @example
 * ```ts
 * import { Vocabulary } from 'packed-rnn/text'
 * import { encode } from 'packed-rnn/tasks'
 *
 * const vocabulary = Vocabulary.fromDocuments([['ein', 'Wort']])
 * console.log(encode({ tokenizer: 'words', vocabulary }, 'ein Wort').length) // 2
 * ```
 */
export function encode(run: Pick<Run, 'tokenizer' | 'vocabulary'>, text: string): Int32Array {
  const tokenize: Tokenizer = tokenizers[tokenizerName(run.tokenizer)]
  return run.vocabulary.encode(tokenize(text))
}

/**
 * Writes a run into a directory: model.safetensors, with PyTorch's parameter names, and config.json.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where it cannot be written; ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE or ERR_SHAPE
 * for a part that does not fit the others; ERR_DISPOSED.
 *
 * @example
 * ```ts
 * import { Classifier, presets } from 'packed-rnn/models'
 * import { saveRun } from 'packed-rnn/tasks'
 * import { LabelEncoder, Vocabulary } from 'packed-rnn/text'
 *
 * const vocabulary = Vocabulary.fromDocuments([['ein', 'Wort']])
 * const labels = LabelEncoder.fit(['Sport', 'Web'])
 * const preset = 'lstm64-adam'
 * const model = new Classifier({ preset: presets[preset], vocabularySize: 3, classes: 2, embeddingDim: 3 })
 * const run = { preset, posts: null, dialect: 'csv', tokenizer: 'words', vocabulary, labels, model } as const
 * console.log(await saveRun(run, 'saved-run')) // undefined
 * ```
 */
export async function saveRun(run: Run, directory: string): Promise<void> {
  await saveTrained(classifierRun, run, directory)
}

function save(run: Run): { config: Config; model: Classifier } {
  const { dialect, tokenizer, vocabulary, labels, model } = run
  // JavaScript may leave them out.
  const { preset = null, posts = null } = run
  checkRun({ ...run, preset, posts })
  const config: Config = {
    preset,
    layers: layersOf(model),
    dialect,
    posts,
    tokenizer,
    padding: vocabulary.padding,
    pooling: model.pooling,
    embeddingDim: model.embedding.weight.shape[1],
    classes: [...labels.classes],
    words: [...vocabulary.words],
  }
  return { config, model }
}

function layersOf({ lstm, embedding }: Classifier): ClassifierLayers {
  const { hiddenSize, numLayers, bidirectional, dropout } = lstm
  return { hiddenSize, numLayers, bidirectional, dropout, tuneEmbedding: embedding.weight.requiresGrad }
}

/** That what is written can be read again. */
function checkRun({ preset, dialect, posts, tokenizer, vocabulary, labels, model }: Run): void {
  checkInstance('saveRun', 'run.model', model, Classifier)
  const { embedding, classifier } = model
  if (preset !== null) {
    checkWord('saveRun', 'run.preset', preset, Object.keys(presets))
    const [wanted, found] = [presets[preset], layersOf(model)]
    const same =
      found.hiddenSize === wanted.hiddenSize &&
      found.numLayers === wanted.numLayers &&
      found.bidirectional === wanted.bidirectional
    if (!same) throw badArgument('saveRun', 'run.model', `the layers of ${preset}`, 'others', 'ERR_SHAPE')
  }
  const [rows, classes] = [embedding.weight.shape[0], classifier.weight.shape[0]]
  if (rows !== vocabulary.size) {
    throw badArgument('saveRun', 'run.vocabulary', `${rows} ids, as the model`, vocabulary.size, 'ERR_SHAPE')
  }
  if (classes !== labels.classes.length) {
    const got = labels.classes.length
    throw badArgument('saveRun', 'run.labels', `${classes} classes, as the model`, got, 'ERR_SHAPE')
  }
  checkWord('saveRun', 'run.tokenizer', tokenizer, Object.keys(tokenizers))
  checkWord('saveRun', 'run.dialect', dialect, dialects)
  if (posts === null) return
  checkInteger('saveRun', 'run.posts.fold', posts.fold, 1)
  if (typeof posts.category !== 'string') {
    throw badArgument('saveRun', 'run.posts.category', 'a category', posts.category)
  }
}

/**
 * Reads what `saveRun` wrote.
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT naming the file and what is wrong with it, ERR_INVALID_ARGUMENT where
 * one cannot be read, or for an unknown option.
 *
 * @example
 * ```ts
 * import { Classifier, presets } from 'packed-rnn/models'
 * import { loadRun, saveRun } from 'packed-rnn/tasks'
 * import { LabelEncoder, Vocabulary } from 'packed-rnn/text'
 *
 * const vocabulary = Vocabulary.fromDocuments([['ein', 'Wort']])
 * const labels = LabelEncoder.fit(['Sport', 'Web'])
 * const preset = 'lstm64-adam'
 * const model = new Classifier({ preset: presets[preset], vocabularySize: 3, classes: 2, embeddingDim: 3 })
 * const run = { preset, posts: null, dialect: 'csv', tokenizer: 'words', vocabulary, labels, model } as const
 * await saveRun(run, 'loaded-run')
 * console.log((await loadRun('loaded-run')).labels.classes) // ['Sport', 'Web']
 * ```
 */
export async function loadRun(directory: string, options: { device?: Device } = {}): Promise<Run> {
  checkOptions('loadRun', options, { device: true })
  return loadTrained(classifierRun, directory, options)
}

function load(config: Config, { configFile, modelFile, state }: RunFiles, options: { device?: Device }): Run {
  const { preset, pooling, tokenizer, vocabulary, labels } = ofFile(configFile, () => ({
    preset: config.preset === null ? null : presetName(config.preset),
    pooling: poolingName(config.pooling),
    tokenizer: tokenizerName(config.tokenizer),
    vocabulary: Vocabulary.fromWords(config.words, { padding: config.padding }),
    labels: new LabelEncoder(config.classes),
  }))
  const table = state.get('embedding.weight')
  const { embeddingDim } = config
  if (table === undefined || table.data.length !== vocabulary.size * embeddingDim) {
    const wanted = `embedding.weight of shape [${vocabulary.size}, ${embeddingDim}]`
    throw badFile(modelFile, null, wanted, table === undefined ? 'none' : [...table.shape])
  }
  const model = new Classifier({
    preset: config.layers,
    pooling,
    vocabularySize: vocabulary.size,
    classes: labels.classes.length,
    embeddingDim,
    vectors: table.data,
    ...options,
  })
  ofFile(modelFile, () => model.loadStateDict(state))
  const { dialect, posts } = config
  return { preset, dialect, posts, tokenizer, vocabulary, labels, model }
}

/** @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown name. */
export function tokenizerName(name: string): keyof typeof tokenizers {
  if (name === 'whitespace' || name === 'words') return name
  throw badArgument('tokenizer', 'name', Object.keys(tokenizers).join(' or '), name)
}
