import { entry, parse, UsageError, usageOf } from './options.js'
import { predictTable } from './taskOptions.js'
import { cliTaskOf } from './tasks.js'

export const usage = `packed-rnn predict RUN [FILE | -] [OPTION …]

Reads an article a line and prints a line for each: its category, and all categories with their
probabilities, the most probable first, separated by tabs. A line ends with LF or CRLF. The task is the run's.

${entry('RUN', 'a directory that train wrote')}
${entry('FILE', 'a text file, plain or .gz; - or nothing is standard input')}
${usageOf(predictTable)}`

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, predictTable)
  const [directory, file = '-', ...rest] = positionals
  if (directory === undefined || rest.length > 0) throw new UsageError('wanted a run and at most one file')
  const task = await cliTaskOf(directory)
  await task.predict(directory, file, values, signal)
}
