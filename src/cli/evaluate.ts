import { entry, onePositional, parse, UsageError, usageOf } from './options.js'
import { evaluateTable } from './taskOptions.js'
import { cliTaskOf } from './tasks.js'

export const usage = `packed-rnn evaluate RUN --test FILE [--json FILE] [OPTION …]

Prints the report of a trained model. A classifier of articles is tested on articles in 10kGNAD's format, plain
or .gz, read in the dialect that it was trained on; a model of posts on those of its category in the fold that
it was not trained on. The task is the run's.

${entry('RUN', 'a directory that train wrote')}
${usageOf(evaluateTable)}`

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, evaluateTable)
  const directory = onePositional('a run', positionals)
  if (values.test === undefined) throw new UsageError('wanted --test FILE')
  const task = await cliTaskOf(directory)
  await task.evaluate(directory, values, signal)
}
