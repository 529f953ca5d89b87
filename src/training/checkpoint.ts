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
/** The previous checkpoint, in case the last one is damaged. */
export const PREVIOUS = 'checkpoint.previous.safetensors'

/**
 * Writes a trainer's state into a directory, as one file, atomically: a reader finds either the new checkpoint or the previous
 * one, also if the process is killed. The previous checkpoint is kept as checkpoint.previous.safetensors.
 *
 * @param directory created if it is missing.
 * @param state the result of `trainer.state()`.
 * @param about any value that JSON can hold, for the code that resumes.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT if the file cannot be written or JSON cannot hold `about`. The previous
 * checkpoint is then unchanged.
 *
 * @example
 * ```ts
 * import { readdirSync } from 'node:fs'
 * import { optim } from 'packed-rnn'
 * import { Classifier, presets } from 'packed-rnn/models'
 * import { Classification } from 'packed-rnn/tasks'
 * import { saveCheckpoint, Trainer } from 'packed-rnn/training'
 *
 * const preset = presets['lstm64-adam']
 * const model = new Classifier({ preset, vocabularySize: 9, classes: 2, embeddingDim: 3 })
 * const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
 * const trainer = new Trainer({ model, task: new Classification(model), optimizer })
 * await saveCheckpoint('saved', await trainer.state(), 'any notes')
 * console.log(readdirSync('saved')) // ['checkpoint.safetensors']
 * ```
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
    // The value contains a bigint or a cycle.
    cause = error
  }
  const { message } = badArgument('saveCheckpoint', 'about', 'a JSON-serializable value', about)
  throw new PackedRnnError('ERR_INVALID_ARGUMENT', message, { cause })
}

/** The result of `loadCheckpoint`. */
export interface Checkpoint {
  /** The state, for `trainer.restore`. */
  state: TrainerState
  /** The value that was passed to `saveCheckpoint`. */
  about: unknown
  /** If this is the previous checkpoint, why the last one cannot be used; else null. */
  passedOver: PackedRnnError | null
}

/**
 * Reads the last checkpoint that `saveCheckpoint` wrote into a directory. If that file is truncated, altered or missing, it reads
 * the previous one. `trainer.restore` checks that the state fits the trainer.
 *
 * @throws PackedRnnError (rejects) if neither can be used; the error is about the last one: ERR_INVALID_ARGUMENT if the file
 * cannot be read, ERR_FILE_FORMAT if its content is invalid.
 *
 * @example
 * ```ts
 * import { optim } from 'packed-rnn'
 * import { Classifier, presets } from 'packed-rnn/models'
 * import { Classification } from 'packed-rnn/tasks'
 * import { loadCheckpoint, saveCheckpoint, Trainer } from 'packed-rnn/training'
 *
 * const preset = presets['lstm64-adam']
 * const model = new Classifier({ preset, vocabularySize: 9, classes: 2, embeddingDim: 3 })
 * const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
 * const trainer = new Trainer({ model, task: new Classification(model), optimizer })
 * await saveCheckpoint('loaded', await trainer.state(), 'any notes')
 * trainer.restore((await loadCheckpoint('loaded')).state)
 * console.log((await loadCheckpoint('loaded')).about) // any notes
 * ```
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

/** Whether a tensor is a leaf of a carry; leaves are named by their paths. */
function isCarried(name: string): boolean {
  return name === 'carry' || name.startsWith('carry.')
}
