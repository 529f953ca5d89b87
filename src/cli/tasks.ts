import { join } from 'node:path'
import { FIRST_TASK, taskOfRun } from '../training/runFiles.js'
import { valueIn } from './commandLine.js'
import { Failure, type OptionTable, positionalsOf, UsageError } from './options.js'
import { type CliTask, checkTaskOptions, type TaskCommand } from './taskOptions.js'

/** Tasks by the name that `train --task` takes and a run's files have. Each is loaded when its function is called. */
export type TaskList = Readonly<Record<string, () => Promise<CliTask>>>

export const tasks: TaskList = {
  classification: async () => (await import('./classification.js')).classification,
  'language-model': async () => (await import('./languageModel.js')).languageModel,
  translation: async () => (await import('./translation.js')).translation,
}

/** @throws UsageError for an unknown task. */
export async function cliTask(name: string, list: TaskList): Promise<CliTask> {
  const load = Object.hasOwn(list, name) ? list[name] : undefined
  if (load === undefined) throw new UsageError(`--task: wanted ${namesOf(list)}, got ${name}`)
  return load()
}

/** All tasks, in the order of the list. */
export async function allTasks(list: TaskList): Promise<CliTask[]> {
  return Promise.all(Object.values(list).map(load => load()))
}

/**
 * The task of the run that a command line names first. The line is parsed by the options of all tasks, because its own are
 * known only then.
 * @throws UsageError where the line names no run, or has an option that only other tasks have; Failure for a task that this
 * version does not know; PackedRnnError as `taskOfRun`.
 */
export async function taskOfRunIn(
  args: readonly string[],
  command: Exclude<TaskCommand, 'train'>,
  list: TaskList,
): Promise<CliTask> {
  const all = await allTasks(list)
  const options: OptionTable = Object.fromEntries(all.flatMap(task => Object.entries(task.options[command])))
  const [directory] = positionalsOf(args, options)
  if (directory === undefined) throw new UsageError('wanted a run, got 0 arguments')
  const name = await taskOfRun(directory)
  const task = all.find(each => each.name === name)
  if (task === undefined) {
    const file = join(directory, 'config.json')
    throw new Failure(`${file}: wanted a run for ${namesOf(list)}, got one for ${name}`)
  }
  checkTaskOptions(args, command, task, all)
  return task
}

/** What `--help` of a command prints: of the task that is named, or of all. */
export async function usageOfTasks(
  args: readonly string[],
  command: TaskCommand,
  list: TaskList = tasks,
): Promise<string> {
  const name = valueIn(args, 'task') ?? (command === 'train' ? FIRST_TASK : null)
  const known = name !== null && Object.hasOwn(list, name)
  const some = known ? [await cliTask(name, list)] : await allTasks(list)
  return some.map(({ usage }) => usage[command]).join('\n\n')
}

function namesOf(list: TaskList): string {
  return Object.keys(list)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1')
}
