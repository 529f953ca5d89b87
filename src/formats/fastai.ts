/** The names of fast.ai's language models, of its versions 0.7 and 1. */
import { badFile } from '../errors.js'
import type { StateEntry } from '../tensor.js'
import type { HostTensor } from './safetensors.js'

/** A language model's parameters under the names of `models.LanguageModel`, and its sizes. */
export interface FastaiLanguageModel {
  /** For `loadStateDict`. Of the output layer only the bias, because its weights are the word vectors. */
  parameters: Map<string, StateEntry>
  vocabularySize: number
  embeddingDim: number
  /** Units of all layers but the last. */
  hiddenSize: number
  numLayers: number
}

/** Where both versions keep a parameter. */
const EMBEDDINGS = ['encoder.weight', 'encoder_with_dropout.embed.weight', 'encoder_dp.emb.weight']
const DECODER = '1.decoder.weight'
const RNN = /^rnns\.(\d+)\.(?:module\.)?(weight_ih_l0|weight_hh_l0_raw|weight_hh_l0|bias_ih_l0|bias_hh_l0)$/

/**
 * Renames the tensors of a fast.ai language model: `fwd_wt103.h5` of version 0.7, files of version 1, also `{ model, opt }`, and
 * encoders alone, such as `fwd_wt103_enc.h5`. The raw recurrent weights are used, before their dropout. A model without an output bias
 * gets one of zeros.
 *
 * @param tensors as `readTorch` returns them
 * @param file its name, for error messages
 * @throws PackedRnnError ERR_FILE_FORMAT for an unknown name, a missing parameter, word vectors that differ from the output layer's, or
 * shapes that do not fit together.
 * @example
 * ```ts
 * import { fastaiLanguageModel, type HostTensor } from 'packed-rnn/formats'
 *
 * const tensor = (...shape: number[]): HostTensor => {
 *   return { dtype: 'float32', shape, data: new Float32Array(shape.reduce((a, b) => a * b)) }
 * }
 * const layer = { weight_ih_l0: tensor(16, 4), weight_hh_l0_raw: tensor(16, 4), bias_ih_l0: tensor(16), bias_hh_l0: tensor(16) }
 * const tensors = new Map(Object.entries(layer).map(([name, value]) => [`0.rnns.0.module.${name}`, value]))
 * tensors.set('0.encoder.weight', tensor(9, 4))
 * const { parameters, hiddenSize } = fastaiLanguageModel(tensors, 'model.h5')
 * console.log(hiddenSize, [...parameters.keys()].slice(0, 2)) // 4 ['embedding.weight', 'rnns.0.module.weight_ih_l0']
 * ```
 */
export function fastaiLanguageModel(
  tensors: ReadonlyMap<string, HostTensor>,
  file: string,
): FastaiLanguageModel {
  const wrapped = [...tensors.keys()].some(name => name.startsWith('model.'))
  const named = new Map<string, HostTensor>()
  for (const [name, tensor] of tensors) {
    if (!wrapped) named.set(name.startsWith('1.') ? name : name.replace(/^0\./, ''), tensor)
    else if (name.startsWith('model.')) {
      const own = name.slice('model.'.length)
      named.set(own.startsWith('1.') ? own : own.replace(/^0\./, ''), tensor)
    }
  }
  const floats = (name: string, tensor: HostTensor): StateEntry => {
    if (tensor.dtype === 'float32') return tensor
    throw badFile(file, null, `float32 for ${name}`, tensor.dtype)
  }
  const parameters = new Map<string, StateEntry>()
  const layers = new Map<number, Map<string, StateEntry>>()
  let words: { name: string; entry: StateEntry } | null = null
  let bias: StateEntry | null = null
  for (const [name, tensor] of named) {
    const entry = floats(name, tensor)
    const [, k, part] = RNN.exec(name) ?? []
    if (EMBEDDINGS.includes(name) || name === DECODER) {
      words ??= { name, entry }
      checkSame(file, words, { name, entry })
    } else if (name === '1.decoder.bias') bias = entry
    else if (k !== undefined && part !== undefined) {
      const layer = layers.get(Number(k)) ?? new Map<string, StateEntry>()
      // The raw weights are the parameter; the others are what the last training step had dropped.
      if (part === 'weight_hh_l0_raw' || !layer.has(part)) layer.set(part.replace('_raw', ''), entry)
      layers.set(Number(k), layer)
    } else throw badFile(file, null, "a name of fast.ai's language model", name)
  }
  if (words === null) throw badFile(file, null, 'encoder.weight', 'no word vectors')
  const [vocabularySize = 0, embeddingDim = 0] = words.entry.shape
  parameters.set('embedding.weight', words.entry)
  let inputs = embeddingDim
  for (let k = 0; k < layers.size; k++) {
    inputs = addLayer(file, parameters, layers.get(k) ?? new Map(), { k, inputs })
  }
  const [first, ...inner] = Array.from({ length: layers.size - 1 }, (_, k) => unitsOf(parameters, k))
  for (const units of inner) {
    if (units !== first) throw badFile(file, null, `inner layers of ${first} units`, units)
  }
  if (layers.size === 0 || inputs !== embeddingDim) {
    throw badFile(file, null, `a last layer of ${embeddingDim} units, as the word vectors`, inputs)
  }
  if (bias !== null && (bias.shape.length !== 1 || bias.shape[0] !== vocabularySize)) {
    throw badFile(file, null, `1.decoder.bias of shape ${vocabularySize}`, bias.shape.join(' × '))
  }
  parameters.set('output.bias', bias ?? { shape: [vocabularySize], data: new Float32Array(vocabularySize) })
  const hiddenSize = unitsOf(parameters, 0)
  return { parameters, vocabularySize, embeddingDim, hiddenSize, numLayers: layers.size }
}

/** The units of a layer that was added. */
function unitsOf(parameters: ReadonlyMap<string, StateEntry>, k: number): number {
  return parameters.get(`rnns.${k}.module.weight_hh_l0`)!.shape[1]!
}

/** @throws PackedRnnError ERR_FILE_FORMAT for another copy of the word vectors. */
function checkSame(
  file: string,
  a: { name: string; entry: StateEntry },
  b: { name: string; entry: StateEntry },
): void {
  if (a.entry === b.entry || a.entry.data === b.entry.data) return
  const same =
    a.entry.data.length === b.entry.data.length && a.entry.data.every((x, i) => Object.is(x, b.entry.data[i]))
  if (!same) throw badFile(file, null, `${b.name} as ${a.name}`, 'other numbers')
}

/** Adds the parameters of layer k. @returns its units */
function addLayer(
  file: string,
  parameters: Map<string, StateEntry>,
  layer: ReadonlyMap<string, StateEntry>,
  { k, inputs }: { k: number; inputs: number },
): number {
  const units = layer.get('weight_hh_l0')?.shape[1] ?? 0
  const shapes = {
    weight_ih_l0: [4 * units, inputs],
    weight_hh_l0: [4 * units, units],
    bias_ih_l0: [4 * units],
    bias_hh_l0: [4 * units],
  }
  for (const [name, shape] of Object.entries(shapes)) {
    const entry = layer.get(name)
    const got = entry?.shape.join(' × ')
    if (entry === undefined || got !== shape.join(' × ')) {
      throw badFile(file, null, `rnns.${k}.${name} of shape ${shape.join(' × ')}`, got ?? 'none')
    }
    parameters.set(`rnns.${k}.module.${name}`, entry)
  }
  return units
}
