import { mkdir, readFile } from 'node:fs/promises'
import { checkInstance, checkOptions } from '../check.js'
import { badFile } from '../errors.js'
import { type LoadOptions, type LoadResult, Module } from '../nn/module.js'
import type { StateEntry } from '../tensor.js'
import { fileFailure } from '../text/file.js'
import { atomicWrite } from './files.js'
import { type HostTensor, readSafetensors, writeSafetensors } from './safetensors.js'

/** A state dict as entries of a safetensors file, with something before each name. */
export function stateEntries(
  state: ReadonlyMap<string, StateEntry>,
  prefix = '',
): (HostTensor & { name: string })[] {
  return [...state].map(([name, { shape, data }]) => ({ name: prefix + name, dtype: 'float32', shape, data }))
}

/** The float32 tensors whose names begin with `prefix`, without it. @throws PackedRnnError ERR_FILE_FORMAT for int32. */
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

/** The bytes of a file. @throws PackedRnnError naming it. */
export async function readWhole(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw fileFailure(file, error)
  }
}

/** Writes a file, whole or not at all; the one before may be kept, see `atomicWrite`. @throws PackedRnnError naming it. */
export async function writeWhole(
  file: string,
  bytes: Uint8Array,
  previous: string | null = null,
): Promise<void> {
  try {
    await atomicWrite(file, bytes, previous)
  } catch (error) {
    throw fileFailure(file, error)
  }
}

/** Makes a directory where there is none. @throws PackedRnnError naming it. */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true })
  } catch (error) {
    throw fileFailure(directory, error)
  }
}

/**
 * Writes a module's parameters as safetensors, under PyTorch's names; the file is there whole or not at all.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT for what is no module, and where the file cannot be written;
 * ERR_DISPOSED, or with the failure of an op that computed a parameter.
 */
export async function saveStateDict(module: Module, file: string): Promise<void> {
  checkInstance('saveStateDict', 'module', module, Module)
  await writeWhole(file, writeSafetensors(stateEntries(await module.stateDict())))
}

/**
 * Sets a module's parameters from a safetensors file, as PyTorch's `load_state_dict`.
 *
 * @param options `strict`: whether names must agree; default true.
 * @returns the names that the file lacked, and those that the module does not have.
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT naming the file, ERR_INVALID_ARGUMENT where it cannot be read, or for
 * an unknown option; ERR_INVALID_ARGUMENT, ERR_SHAPE naming the parameter; ERR_DISPOSED. Then no parameter has changed.
 */
export async function loadStateDict(
  module: Module,
  file: string,
  options: LoadOptions = {},
): Promise<LoadResult> {
  checkOptions('loadStateDict', options, { strict: true })
  checkInstance('loadStateDict', 'module', module, Module)
  const { tensors } = readSafetensors(await readWhole(file), file)
  return module.loadStateDict(stateOf(tensors, file), options)
}
