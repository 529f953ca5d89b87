import { type TaskList, taskOfRunIn, tasks, usageOfTasks } from './tasks.js'

export const usage = (args: readonly string[]) => usageOfTasks(args, 'evaluate')

/** Prints the report of a run, as its task does. */
export async function execute(args: string[], signal: AbortSignal, list: TaskList = tasks): Promise<void> {
  const task = await taskOfRunIn(args, 'evaluate', list)
  await task.evaluate(args, signal)
}
