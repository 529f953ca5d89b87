import type { HostTensor } from '../../src/formats/safetensors.js'
import { Generator as Random } from '../../src/random.js'
import { dict, int, list, little, pickle, storage, tensor, text } from './pickle.js'

/** Files of fast.ai's language models, as PyTorch 0.3 to 1.0 wrote them. */

export interface FastaiSizes {
  words: number
  embedding: number
  hidden: number
  layers: number
  /** Of fast.ai. */
  version: 0 | 1
  /** What stands before the encoder's names: `0.`, or nothing for an encoder alone, or `model.0.`. */
  prefix: string
  /** The numbers of a tensor; default random ones. */
  fill?(size: number): Float32Array
}

/** The tensors by name. Tied ones are the same object. */
export function fastaiTensors(given: FastaiSizes): Map<string, HostTensor> {
  const { words, embedding, hidden, layers, version, prefix } = given
  const generator = new Random(1)
  const random = (size: number) => Float32Array.from({ length: size }, () => generator.uniform(-1, 1))
  const { fill = random } = given
  const drawn = (...shape: number[]): HostTensor => {
    const size = shape.reduce((product, n) => product * n, 1)
    return { dtype: 'float32', shape, data: fill(size) }
  }
  const tensors = new Map<string, HostTensor>()
  const shared = drawn(words, embedding)
  tensors.set(`${prefix}encoder.weight`, shared)
  tensors.set(`${prefix}${version === 0 ? 'encoder_with_dropout.embed' : 'encoder_dp.emb'}.weight`, shared)
  for (let k = 0; k < layers; k++) {
    const inputs = k === 0 ? embedding : hidden
    const units = k === layers - 1 ? embedding : hidden
    const name = (part: string) => `${prefix}rnns.${k}.module.${part}`
    tensors.set(name('weight_ih_l0'), drawn(4 * units, inputs))
    tensors.set(name('bias_ih_l0'), drawn(4 * units))
    tensors.set(name('bias_hh_l0'), drawn(4 * units))
    const raw = drawn(4 * units, units)
    if (version === 0) tensors.set(name('weight_hh_l0_raw'), raw)
    else {
      // What the last step had dropped stands before and after the raw weights.
      tensors.set(name('weight_hh_l0'), drawn(4 * units, units))
      tensors.set(`${prefix}rnns.${k}.weight_hh_l0_raw`, raw)
    }
  }
  const decoder = prefix.replace(/0\.$/, '1.')
  if (prefix !== '') tensors.set(`${decoder}decoder.weight`, shared)
  if (prefix !== '' && version === 1) tensors.set(`${decoder}decoder.bias`, drawn(words))
  return tensors
}

const MAGIC = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex')

/** The file: a legacy pickle stream. */
export function fastaiFile(given: FastaiSizes): Buffer {
  return Buffer.concat([...fastaiParts(given)])
}

/** Its parts, one after the other. */
export function* fastaiParts(given: FastaiSizes): Generator<Buffer, void, void> {
  const tensors = fastaiTensors(given)
  const keys = new Map([...new Set(tensors.values())].map((each, i) => [each, String(i)]))
  const viewOf = (each: HostTensor) => {
    const strides = each.shape.map((_, d) => each.shape.slice(d + 1).reduce((product, n) => product * n, 1))
    return tensor(storage('FloatStorage', keys.get(each)!, each.data.length), 0, [...each.shape], strides)
  }
  const entries = [...tensors].map(([name, each]) => [name, viewOf(each)] as const)
  const wrapped = given.prefix.startsWith('model.')
  const own = Object.fromEntries(entries.map(([name, view]) => [name.replace(/^model\./, ''), view]))
  const value = wrapped ? dict({ model: dict(own), opt: dict({ lr: int(1) }) }) : dict(own)
  yield Buffer.concat([MAGIC, int(1001), dict({}), value, list(...[...keys.values()].map(text))].map(pickle))
  for (const { data } of keys.keys()) {
    yield little(data.length, 8)
    yield Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  }
}
