import { join } from 'node:path'
import * as v from 'valibot'
import { badArgument, badFile, PackedRnnError } from '../errors.js'
import { readWhole } from '../files/read.js'
import { makeDirectory, writeWhole } from '../files/write.js'
import { parseJson } from '../formats/json.js'
import { type HostTensor, readSafetensors } from '../formats/safetensors.js'
import { checkSeal, writeSealed } from '../formats/sealed.js'
import { stateEntries, stateOf } from '../formats/stateDict.js'
import { FORMAT, FORMAT_BEFORE, stateSchema, stateSchemaBefore } from './checkpointSchema.js'
import { lineOf } from './record.js'
import type { TrainerState } from './trainerState.js'

/** The file in a run's directory. */
export const CHECKPOINT = 'checkpoint.safetensors'
/** The one before it, in case that one comes to harm. */
export const PREVIOUS = 'checkpoint.previous.safetensors'

/**
 * Writes a trainer's state into a directory, as one file: a reader finds this checkpoint or the one before, and no
 * mixture. The one before stays beside it, as checkpoint.previous.safetensors. `about` is anything that JSON
 * holds, for the code that resumes.
 *
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where it cannot be written, or JSON does not hold `about`; the one before
 * is then still there.
 */
export async function saveCheckpoint(directory: string, state: TrainerState, about: unknown): Promise<void> {
  const { model, optimizer, carry, position, masks, scheduler } = state
  const entries = [
    ...stateEntries(model, 'model.'),
    ...stateEntries(optimizer.tensors, 'optimizer.'),
    ...[...carry.tensors].map(([name, leaf]) => ({ name, ...leaf })),
  ]
  const history = position.history.map(lineOf)
  const rest = { position: { ...position, history }, masks, scheduler, carry: carry.tree }
  const trainer = JSON.stringify({ ...rest, groups: optimizer.groups })
  const metadata = { format: FORMAT, trainer, about: jsonOf(about) }
  await makeDirectory(directory)
  const bytes = writeSealed(entries, metadata)
  await writeWhole(join(directory, CHECKPOINT), bytes, join(directory, PREVIOUS))
}

function jsonOf(about: unknown): string {
  let cause: unknown
  try {
    const text: string | undefined = JSON.stringify(about)
    if (text !== undefined) return text
  } catch (error) {
    // A bigint, or an object that holds itself.
    cause = error
  }
  const { message } = badArgument('saveCheckpoint', 'about', 'something that JSON holds', about)
  throw new PackedRnnError('ERR_INVALID_ARGUMENT', message, { cause })
}

/** What `loadCheckpoint` found. */
export interface Checkpoint {
  state: TrainerState
  /** As it was given to `saveCheckpoint`. */
  about: unknown
  /** Why the last checkpoint cannot be used, where this is the one before it; else null. */
  passedOver: PackedRnnError | null
}

/**
 * Reads what `saveCheckpoint` wrote: the last checkpoint or, where that is torn, altered or missing, the one before.
 * `restore` of the trainer checks that the state fits.
 * @throws PackedRnnError (rejects) where neither can be used, about the last: ERR_INVALID_ARGUMENT where the file cannot be
 * read; ERR_FILE_FORMAT naming the file and what is wrong with it.
 */
export async function loadCheckpoint(directory: string): Promise<Checkpoint> {
  try {
    return { ...(await readCheckpoint(join(directory, CHECKPOINT))), passedOver: null }
  } catch (error) {
    if (!(error instanceof PackedRnnError)) throw error
    const previous = await readCheckpoint(join(directory, PREVIOUS)).catch(() => null)
    if (previous === null) throw error
    return { ...previous, passedOver: error }
  }
}

async function readCheckpoint(file: string): Promise<{ state: TrainerState; about: unknown }> {
  const content = readSafetensors(await readWhole(file), file)
  const { tensors, metadata } = content
  const { format = 'none' } = metadata
  if (format !== FORMAT && format !== FORMAT_BEFORE) throw badFile(file, null, `format '${FORMAT}'`, format)
  checkSeal(content, file)
  const schema = format === FORMAT ? stateSchema : stateSchemaBefore
  const { groups, carry: tree, ...rest } = parseJson(schema, metadata.trainer ?? '', file)
  const part = (prefix: string) => stateOf(tensors, file, prefix)
  const carried = new Map<string, HostTensor>([...tensors].filter(([name]) => isCarried(name)))
  const state: TrainerState = {
    ...rest,
    carry: { tree, tensors: carried },
    model: part('model.'),
    optimizer: { groups, tensors: part('optimizer.') },
  }
  return { state, about: parseJson(v.unknown(), metadata.about ?? '', file) }
}

/** The leaves of a carry have the names of their paths. */
function isCarried(name: string): boolean {
  return name === 'carry' || name.startsWith('carry.')
}
