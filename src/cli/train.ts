import { cliTask, DEFAULT_TASK } from './tasks.js'

export { usage } from './trainOptions.js'

/** Trains for the task that `--task` names. */
export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { train } = await cliTask(taskOf(args))
  await train(args, signal)
}

/** Each task has options of its own; this one is looked for before they are known. */
function taskOf(args: readonly string[]): string {
  const at = args.findLastIndex(arg => arg === '--task' || arg.startsWith('--task='))
  if (at < 0) return DEFAULT_TASK
  return args[at] === '--task' ? (args[at + 1] ?? '') : args[at]!.slice('--task='.length)
}
