import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../device.js'
import { badArgument, badFile } from '../errors.js'
import { atomicWrite } from '../formats/files.js'
import { readSafetensors, writeSafetensors } from '../formats/safetensors.js'
import type { StateEntry } from '../nn/index.js'
import { fileFailure } from '../text/file.js'
import type { Dialect } from '../text/gnad.js'
import { LabelEncoder } from '../text/labels.js'
import { type Tokenizer, tokenizers } from '../text/tokenize.js'
import { type Padding, Vocabulary } from '../text/vocabulary.js'
import { Classifier } from './classifier.js'
import { type PresetName, presetName, presets } from './presets.js'

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
  embeddingDim: number
  classes: string[]
  words: string[]
}

/** The ids of a text. */
export function encode(run: Pick<Run, 'tokenizer' | 'vocabulary'>, text: string): Int32Array {
  const tokenize: Tokenizer = tokenizers[run.tokenizer]
  return run.vocabulary.encode(tokenize(text))
}

/** Writes a run into a directory: model.safetensors, with PyTorch's parameter names, and config.json. */
export async function saveRun(run: Run, directory: string): Promise<void> {
  const { preset, dialect, tokenizer, vocabulary, labels, model } = run
  const state = await model.stateDict()
  const entries = [...state].map(([name, { shape, data }]) => ({
    name,
    dtype: 'float32' as const,
    shape,
    data,
  }))
  const config: Config = {
    format: 'packed-rnn run 1',
    preset,
    dialect,
    tokenizer,
    padding: vocabulary.padding,
    embeddingDim: model.embedding.weight.shape[1],
    classes: [...labels.classes],
    words: [...vocabulary.words],
  }
  await mkdir(directory, { recursive: true })
  await atomicWrite(join(directory, MODEL), writeSafetensors(entries))
  await atomicWrite(join(directory, CONFIG), Buffer.from(JSON.stringify(config)))
}

/**
 * Reads what `saveRun` wrote.
 * @throws PackedRnnError ERR_FILE_FORMAT naming the file and what is wrong with it.
 */
export async function loadRun(directory: string, options: { device?: Device } = {}): Promise<Run> {
  const config = parseConfig(join(directory, CONFIG), await read(join(directory, CONFIG)))
  const file = join(directory, MODEL)
  const { tensors } = readSafetensors(await read(file), file)
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
    vocabularySize: vocabulary.size,
    classes: labels.classes.length,
    embeddingDim,
    vectors: table.data,
    ...options,
  })
  const state = new Map<string, StateEntry>()
  for (const [name, entry] of tensors) {
    if (entry.dtype !== 'float32') throw badFile(file, null, `float32 for ${name}`, entry.dtype)
    state.set(name, entry)
  }
  model.loadStateDict(state)
  const { dialect } = config
  return { preset, dialect, tokenizer: tokenizerName(config.tokenizer), vocabulary, labels, model }
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw fileFailure(file, error)
  }
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
