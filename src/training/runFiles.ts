import { join } from 'node:path'
import * as v from 'valibot'
import type { Device } from '../device.js'
import { readWhole } from '../files/read.js'
import { makeDirectory, writeWhole } from '../files/write.js'
import { parseJson } from '../formats/json.js'
import { readSafetensors } from '../formats/safetensors.js'
import { saveStateDict, stateOf } from '../formats/stateDict.js'
import type { Module } from '../nn/index.js'
import type { StateEntry } from '../tensor.js'

/** The trained model of a run, of any task: model.safetensors, and config.json with the task's name and its own part. */

const MODEL = 'model.safetensors'
const CONFIG = 'config.json'
const FORMAT = 'packed-rnn run 2'

/** The task of files without a task's name: version 0.1 had one alone. */
export const FIRST_TASK = 'classification'

/** How a task keeps its trained models. */
export interface RunKind<Run, Config extends object> {
  /** The task's name, in config.json. */
  readonly task: string
  /** Validates the task's own part of config.json, which has `format` and `task` besides. */
  readonly schema: v.GenericSchema<unknown, Config>
  /** The same for the formats of earlier versions, by format. */
  readonly earlier?: Readonly<Record<string, v.GenericSchema<unknown, Config>>>
  /**
   * The task's own part of config.json, and the module whose parameters model.safetensors holds.
   * @throws PackedRnnError for a run that could not be loaded again.
   */
  save(run: Run): { config: Config; model: Module }
  /**
   * What `save` was given.
   * @throws PackedRnnError ERR_FILE_FORMAT naming one of the files.
   */
  load(config: Config, files: RunFiles, options: { device?: Device }): Run
}

/** The parameters that a run has, and the names of its files, for messages. */
export interface RunFiles {
  configFile: string
  modelFile: string
  state: ReadonlyMap<string, StateEntry>
}

/**
 * Writes a trained model into a directory: model.safetensors, with PyTorch's parameter names, and config.json.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where it cannot be written; what the task's `save` throws; ERR_DISPOSED.
 */
export async function saveTrained<Run, Config extends object>(
  { task, save }: RunKind<Run, Config>,
  run: Run,
  directory: string,
): Promise<void> {
  const { config, model } = save(run)
  await makeDirectory(directory)
  await saveStateDict(model, join(directory, MODEL))
  const text = JSON.stringify({ format: FORMAT, task, ...config })
  await writeWhole(join(directory, CONFIG), Buffer.from(text))
}

/**
 * Reads what `saveTrained` wrote.
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT naming the file and what is wrong with it, as another task's name;
 * ERR_INVALID_ARGUMENT where one cannot be read.
 */
export async function loadTrained<Run, Config extends object>(
  kind: RunKind<Run, Config>,
  directory: string,
  options: { device?: Device },
): Promise<Run> {
  const configFile = join(directory, CONFIG)
  const text = (await readWhole(configFile)).toString('utf8')
  const { format } = parseJson(headSchema, text, configFile)
  const before = kind.earlier !== undefined && Object.hasOwn(kind.earlier, format)
  if (!before) parseJson(headOf(kind.task), text, configFile)
  const config = parseJson(before ? kind.earlier[format]! : kind.schema, text, configFile)
  const modelFile = join(directory, MODEL)
  const { tensors } = readSafetensors(await readWhole(modelFile), modelFile)
  return kind.load(config, { configFile, modelFile, state: stateOf(tensors, modelFile) }, options)
}

const headSchema = v.object({ format: v.string(), task: v.optional(v.string(), FIRST_TASK) })

function headOf(task: string) {
  return v.object({ format: v.literal(FORMAT), task: v.literal(task) })
}

/**
 * The name of the task that a run was trained for.
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT naming the file and what is wrong with it, ERR_INVALID_ARGUMENT where it cannot
 * be read.
 */
export async function taskOfRun(directory: string): Promise<string> {
  const file = join(directory, CONFIG)
  return parseJson(headSchema, (await readWhole(file)).toString('utf8'), file).task
}
