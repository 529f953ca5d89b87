import { join } from 'node:path'
import type { Device } from '../device.js'
import { badArgument, badFile } from '../errors.js'
import { readSafetensors } from '../formats/safetensors.js'
import { makeDirectory, readWhole, saveStateDict, stateOf, writeWhole } from '../formats/stateDict.js'
import type { Dialect } from '../text/gnad.js'
import { LabelEncoder } from '../text/labels.js'
import { type Tokenizer, tokenizers } from '../text/tokenize.js'
import { type Padding, Vocabulary } from '../text/vocabulary.js'
import { Classifier } from './classifier.js'
import { type PresetName, presetName, presets } from './presets.js'
import { poolingName } from './rules.js'

/** A trained model with what turns a text into its input and its output into a category. */
export interface Run {
  preset: PresetName
  /** How its articles were read. */
  dialect: Dialect
  tokenizer: keyof typeof tokenizers
  vocabulary: Vocabulary
  labels: LabelEncoder
  model: Classifier
}

const MODEL = 'model.safetensors'
const CONFIG = 'config.json'

/** What config.json holds; the words without unknown ones and padding. */
interface Config {
  format: 'packed-rnn run 1'
  preset: string
  dialect: Dialect
  tokenizer: string
  padding: Padding
  pooling: string
  embeddingDim: number
  classes: string[]
  words: string[]
}

/** The ids of a text, by the run's tokenizer and vocabulary. */
export function encode(run: Pick<Run, 'tokenizer' | 'vocabulary'>, text: string): Int32Array {
  const tokenize: Tokenizer = tokenizers[run.tokenizer]
  return run.vocabulary.encode(tokenize(text))
}

/**
 * Writes a run into a directory: model.safetensors, with PyTorch's parameter names, and config.json.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where it cannot be written; ERR_DISPOSED.
 */
export async function saveRun(run: Run, directory: string): Promise<void> {
  const { preset, dialect, tokenizer, vocabulary, labels, model } = run
  const config: Config = {
    format: 'packed-rnn run 1',
    preset,
    dialect,
    tokenizer,
    padding: vocabulary.padding,
    pooling: model.pooling,
    embeddingDim: model.embedding.weight.shape[1],
    classes: [...labels.classes],
    words: [...vocabulary.words],
  }
  await makeDirectory(directory)
  await saveStateDict(model, join(directory, MODEL))
  await writeWhole(join(directory, CONFIG), Buffer.from(JSON.stringify(config)))
}

/**
 * Reads what `saveRun` wrote.
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT naming the file and what is wrong with it, ERR_INVALID_ARGUMENT where
 * one cannot be read.
 */
export async function loadRun(directory: string, options: { device?: Device } = {}): Promise<Run> {
  const config = parseConfig(join(directory, CONFIG), await readWhole(join(directory, CONFIG)))
  const file = join(directory, MODEL)
  const { tensors } = readSafetensors(await readWhole(file), file)
  const preset = presetName(config.preset)
  const vocabulary = Vocabulary.fromWords(config.words, { padding: config.padding })
  const labels = new LabelEncoder(config.classes)
  const table = tensors.get('embedding.weight')
  const { embeddingDim } = config
  if (table?.dtype !== 'float32' || table.data.length !== vocabulary.size * embeddingDim) {
    const wanted = `embedding.weight of shape [${vocabulary.size}, ${embeddingDim}]`
    throw badFile(file, null, wanted, table === undefined ? 'none' : [...table.shape])
  }
  const model = new Classifier({
    preset: presets[preset],
    pooling: poolingName(config.pooling),
    vocabularySize: vocabulary.size,
    classes: labels.classes.length,
    embeddingDim,
    vectors: table.data,
    ...options,
  })
  model.loadStateDict(stateOf(tensors, file))
  const { dialect } = config
  return { preset, dialect, tokenizer: tokenizerName(config.tokenizer), vocabulary, labels, model }
}

function parseConfig(file: string, bytes: Buffer): Config {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw badFile(file, null, 'JSON', 'something else')
  }
  if (!isConfig(value)) throw badFile(file, null, "a 'packed-rnn run 1' configuration", 'something else')
  return value
}

function isConfig(value: unknown): value is Config {
  if (typeof value !== 'object' || value === null) return false
  const strings = (name: string) => {
    const list: unknown = Reflect.get(value, name)
    return Array.isArray(list) && list.every(item => typeof item === 'string')
  }
  return (
    Reflect.get(value, 'format') === 'packed-rnn run 1' &&
    typeof Reflect.get(value, 'preset') === 'string' &&
    ['csv', 'notebook'].includes(Reflect.get(value, 'dialect')) &&
    typeof Reflect.get(value, 'tokenizer') === 'string' &&
    typeof Reflect.get(value, 'pooling') === 'string' &&
    ['shared', 'own'].includes(Reflect.get(value, 'padding')) &&
    Number.isInteger(Reflect.get(value, 'embeddingDim')) &&
    strings('classes') &&
    strings('words')
  )
}

/** @throws PackedRnnError ERR_INVALID_ARGUMENT for a name that is none. */
export function tokenizerName(name: string): keyof typeof tokenizers {
  if (name === 'whitespace' || name === 'words') return name
  throw badArgument('tokenizer', 'name', Object.keys(tokenizers).join(' or '), name)
}
