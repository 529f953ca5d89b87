import { type TaskList, taskOfRunIn, tasks, usageOfTasks } from './tasks.js'

export const usage = (args: readonly string[]) => usageOfTasks(args, 'predict')

/** Prints a run's answers, as its task does. */
export async function execute(args: string[], signal: AbortSignal, list: TaskList = tasks): Promise<void> {
  const task = await taskOfRunIn(args, 'predict', list)
  await task.predict(args, signal)
}
