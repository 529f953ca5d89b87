import { WORDS } from '../explain/reading.js'
import { deviceOptions } from './deviceOptions.js'
import { fileOption, integerOption, type ValuesOf } from './options.js'

/** The options of commands that any task answers. */

/** Of `evaluate`. */
export const evaluateTable = {
  test: fileOption('the articles or posts, in the format that the run was trained on; required'),
  json: fileOption('where to write the figures'),
  ...deviceOptions,
} as const

/** Of `predict`. */
export const predictTable = {
  explain: {
    ...integerOption(
      `prints a second line for each, which a tab begins: the N words (default ${WORDS}) that\n` +
        'decided the category, with their shares; as the page of memorisation has them',
      1,
    ),
    alone: String(WORDS),
  },
  ...deviceOptions,
} as const

/** What the command line does for a task. */
export interface CliTask {
  /** Trains, from the words of a command line, `--task` among them. */
  train(args: string[], signal: AbortSignal): Promise<void>
  /** Prints the report of a run on some data. */
  evaluate(directory: string, values: ValuesOf<typeof evaluateTable>, signal: AbortSignal): Promise<void>
  /** Prints a run's answers for the lines of a file. */
  predict(
    directory: string,
    file: string,
    values: ValuesOf<typeof predictTable>,
    signal: AbortSignal,
  ): Promise<void>
}
