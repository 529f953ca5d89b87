import { join } from 'node:path'
import { taskOfRun } from '../training/run.js'
import { Failure, UsageError } from './options.js'
import type { CliTask } from './taskOptions.js'

/** What a run is of where nothing else is said. */
export const DEFAULT_TASK = 'classification'

/** By the name that `train --task` takes and a run's config.json has. */
const tasks: Readonly<Record<string, () => Promise<CliTask>>> = {
  [DEFAULT_TASK]: async () => (await import('./classification.js')).classification,
}

const known = Object.keys(tasks).join(' or ')

/** @throws UsageError for an unknown task. */
export async function cliTask(name: string): Promise<CliTask> {
  const load = Object.hasOwn(tasks, name) ? tasks[name] : undefined
  if (load === undefined) throw new UsageError(`--task: wanted ${known}, got ${name}`)
  return load()
}

/**
 * The task of a run.
 * @throws Failure for one that this version does not know; PackedRnnError as `taskOfRun`.
 */
export async function cliTaskOf(directory: string): Promise<CliTask> {
  const name = await taskOfRun(directory)
  if (Object.hasOwn(tasks, name)) return cliTask(name)
  throw new Failure(`${join(directory, 'config.json')}: wanted a run for ${known}, got one for ${name}`)
}
