import { join } from 'node:path'
import { badFile } from '../errors.js'
import { readSafetensors, writeSafetensors } from '../formats/safetensors.js'
import { makeDirectory, readWhole, stateEntries, stateOf, writeWhole } from '../formats/stateDict.js'
import type { TrainerState } from './trainer.js'

const FILE = 'checkpoint.safetensors'
const FORMAT = 'packed-rnn checkpoint 1'

/**
 * Writes a trainer's state into a directory, as one file: whoever reads it finds this checkpoint or the one before,
 * and no mixture. `about` is anything that JSON holds, for whoever resumes.
 *
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where it cannot be written.
 */
export async function saveCheckpoint(directory: string, state: TrainerState, about: unknown): Promise<void> {
  const { model, optimizer, ...rest } = state
  const entries = [...stateEntries(model, 'model.'), ...stateEntries(optimizer.tensors, 'optimizer.')]
  const trainer = JSON.stringify({ ...rest, groups: optimizer.groups })
  const metadata = { format: FORMAT, trainer, about: JSON.stringify(about) }
  await makeDirectory(directory)
  await writeWhole(join(directory, FILE), writeSafetensors(entries, metadata))
}

/**
 * Reads what `saveCheckpoint` wrote. `restore` of the trainer checks that the state fits.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where the file cannot be read; ERR_FILE_FORMAT naming the file and what is wrong with it.
 */
export async function loadCheckpoint(directory: string): Promise<{ state: TrainerState; about: unknown }> {
  const file = join(directory, FILE)
  const { tensors, metadata } = readSafetensors(await readWhole(file), file)
  if (metadata.format !== FORMAT) throw badFile(file, null, `format '${FORMAT}'`, metadata.format ?? 'none')
  const trainer = parse(file, metadata.trainer)
  if (!isTrainer(trainer)) throw badFile(file, null, "a trainer's state", 'something else')
  const { position, masks, groups } = trainer
  const part = (prefix: string) => stateOf(tensors, file, prefix)
  const state = { position, masks, model: part('model.'), optimizer: { groups, tensors: part('optimizer.') } }
  return { state, about: parse(file, metadata.about) }
}

function parse(file: string, text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    throw badFile(file, null, 'JSON in its metadata', 'something else')
  }
}

type Saved = Pick<TrainerState, 'position' | 'masks'> & Pick<TrainerState['optimizer'], 'groups'>

function isTrainer(value: unknown): value is Saved {
  if (typeof value !== 'object' || value === null) return false
  const position: unknown = Reflect.get(value, 'position')
  if (typeof position !== 'object' || position === null) return false
  const start: unknown = Reflect.get(position, 'epochStart')
  const numbers = (from: unknown, ...names: string[]) =>
    typeof from === 'object' &&
    from !== null &&
    names.every(name => typeof Reflect.get(from, name) === 'number')
  return (
    numbers(value, 'masks') &&
    numbers(position, 'epoch', 'step', 'lossSum', 'weight', 'tokens', 'seconds') &&
    numbers(start, 'tokens', 'seconds') &&
    Array.isArray(Reflect.get(position, 'history')) &&
    Array.isArray(Reflect.get(value, 'groups'))
  )
}
