#!/usr/bin/env node
import { evaluateRun, usage as evaluateUsage } from './evaluate.js'
import { describe, UsageError } from './options.js'
import { predict, usage as predictUsage } from './predict.js'
import { split, usage as splitUsage } from './split.js'
import { train, usage as trainUsage } from './train.js'

interface Command {
  run(args: string[], signal: AbortSignal): Promise<void>
  usage: string
}

const commands: Record<string, Command> = {
  train: { run: train, usage: trainUsage },
  evaluate: { run: evaluateRun, usage: evaluateUsage },
  predict: { run: predict, usage: predictUsage },
  split: { run: split, usage: splitUsage },
}

const overview = `packed-rnn COMMAND

${Object.values(commands)
  .map(({ usage }) => usage.split('\n\n', 1)[0])
  .join('\n')}

packed-rnn COMMAND --help tells more.`

/** Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted. */
async function main([name, ...args]: string[]): Promise<number> {
  const wantsHelp = (text: string | undefined) => text === undefined || text === '--help' || text === '-h'
  if (name === undefined || wantsHelp(name)) {
    process.stdout.write(`${overview}\n`)
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    process.stderr.write(`packed-rnn: wanted one of ${Object.keys(commands).join(', ')}, got ${name}\n`)
    return 2
  }
  if (args.some(arg => wantsHelp(arg))) {
    process.stdout.write(`${command.usage}\n`)
    return 0
  }
  const interrupt = new AbortController()
  // Once: a second Ctrl-C ends the process at once.
  process.once('SIGINT', () => interrupt.abort(new Error('interrupted')))
  try {
    await command.run(args, interrupt.signal)
    return 0
  } catch (error) {
    if (interrupt.signal.aborted) {
      process.stderr.write('packed-rnn: interrupted\n')
      return 130
    }
    process.stderr.write(`packed-rnn ${name}: ${describe(error)}\n`)
    if (!(error instanceof UsageError)) return 1
    process.stderr.write(`\n${command.usage}\n`)
    return 2
  }
}

process.exitCode = await main(process.argv.slice(2))
