import { checkTask, resumedBy, taskOfArgs } from './commandLine.js'
import { checkTaskOptions } from './taskOptions.js'
import { allTasks, cliTask, type TaskList, tasks, usageOfTasks } from './tasks.js'

export const usage = (args: readonly string[]) => usageOfTasks(args, 'train')

/** Trains for the task that `--task` names, or that the run of `--resume` was begun for. */
export async function execute(args: string[], signal: AbortSignal, list: TaskList = tasks): Promise<void> {
  const resumed = await resumedBy(args)
  if (resumed !== null) checkTask(args, resumed)
  const task = await cliTask(taskOfArgs(resumed === null ? args : resumed.args), list)
  checkTaskOptions(args, 'train', task, await allTasks(list))
  await task.train(args, resumed, signal)
}
