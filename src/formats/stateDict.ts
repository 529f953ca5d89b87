import { checkInstance, checkOptions } from '../check.js'
import { badFile } from '../errors.js'
import { readWhole } from '../files/read.js'
import { writeWhole } from '../files/write.js'
import { type LoadOptions, type LoadResult, Module } from '../nn/module.js'
import type { StateEntry } from '../tensor.js'
import { type HostTensor, readSafetensors, writeSafetensors } from './safetensors.js'
import { isTorch, readTorch } from './torch.js'

/** Returns a state dict as entries of a safetensors file. `prefix` is prepended to each name. */
export function stateEntries(
  state: ReadonlyMap<string, StateEntry>,
  prefix = '',
): (HostTensor & { name: string })[] {
  return [...state].map(([name, { shape, data }]) => ({ name: prefix + name, dtype: 'float32', shape, data }))
}

/**
 * Returns the float32 tensors whose names begin with `prefix`, under names without it.
 * @throws PackedRnnError ERR_FILE_FORMAT if one of them is int32.
 */
export function stateOf(
  tensors: ReadonlyMap<string, HostTensor>,
  file: string,
  prefix = '',
): Map<string, StateEntry> {
  const state = new Map<string, StateEntry>()
  for (const [name, entry] of tensors) {
    if (!name.startsWith(prefix)) continue
    if (entry.dtype !== 'float32') throw badFile(file, null, `float32 for ${name}`, entry.dtype)
    state.set(name.slice(prefix.length), entry)
  }
  return state
}

/**
 * Saves a module's parameters to a safetensors file under PyTorch's names. The write is atomic: after an error, the old
 * file is still intact.
 *
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT if `module` is not a module or the file cannot be written;
 * ERR_DISPOSED if a parameter is disposed. Rejects with an op's error if the op that computed a parameter failed.
 * @example
 * ```ts
 * import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { nn } from 'packed-rnn'
 * import { readSafetensors, saveStateDict } from 'packed-rnn/formats'
 *
 * const folder = mkdtempSync(join(tmpdir(), 'model-'))
 * const file = join(folder, 'linear.safetensors')
 * await saveStateDict(new nn.Linear({ inFeatures: 3, outFeatures: 2 }), file)
 * const { tensors } = readSafetensors(readFileSync(file), file)
 * console.log([...tensors.keys()]) // ['weight', 'bias']
 * rmSync(folder, { recursive: true })
 * ```
 */
export async function saveStateDict(module: Module, file: string): Promise<void> {
  checkInstance('saveStateDict', 'module', module, Module)
  await writeWhole(file, writeSafetensors(stateEntries(await module.stateDict())))
}

/**
 * Loads a module's parameters from a safetensors file, or from one of `torch.save` (see `readTorch`), like PyTorch's
 * `load_state_dict`. After an error, no parameter has changed.
 *
 * @param options `strict`: whether the names must match exactly; default true.
 * @returns the names that are missing in the file, and those that are unknown to the module.
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT, naming the file; ERR_INVALID_ARGUMENT if the file cannot be read, or for
 * an unknown option; ERR_INVALID_ARGUMENT or ERR_SHAPE, naming the parameter; ERR_DISPOSED.
 * @example
 * ```ts
 * import { mkdtempSync, rmSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { dirname, join } from 'node:path'
 * import { nn } from 'packed-rnn'
 * import { loadStateDict, saveStateDict } from 'packed-rnn/formats'
 *
 * const file = join(mkdtempSync(join(tmpdir(), 'model-')), 'linear.safetensors')
 * await saveStateDict(new nn.Linear({ inFeatures: 3, outFeatures: 2 }), file)
 * const model = new nn.Linear({ inFeatures: 3, outFeatures: 2 })
 * console.log(await loadStateDict(model, file)) // { missing: [], unexpected: [] }
 * rmSync(dirname(file), { recursive: true })
 * ```
 */
export async function loadStateDict(
  module: Module,
  file: string,
  options: LoadOptions = {},
): Promise<LoadResult> {
  checkOptions('loadStateDict', options, { strict: true })
  checkInstance('loadStateDict', 'module', module, Module)
  const bytes = await readWhole(file)
  const state = isTorch(bytes) ? torchState(bytes, file) : stateOf(readSafetensors(bytes, file).tensors, file)
  return module.loadStateDict(state, options)
}

/** The tensors of a file of `torch.save`; integers, such as counts of batches, become float32. */
function torchState(bytes: Uint8Array, file: string): Map<string, StateEntry> {
  const entries = [...readTorch(bytes, file).tensors].map(([name, { shape, data }]): [string, StateEntry] => [
    name,
    { shape, data: data instanceof Float32Array ? data : Float32Array.from(data) },
  ])
  return new Map(entries)
}
