#!/usr/bin/env node
import { describe, UsageError } from './options.js'

interface Command {
  /** What `--help` prints; for some commands it depends on the task. */
  usage: string | ((args: readonly string[]) => Promise<string>)
  execute(args: string[], signal: AbortSignal): Promise<void>
}

/** Only the command that runs is loaded. Most need the native addon; the others work without it. */
const commands: Record<string, { summary: string; load(): Promise<Command> }> = {
  train: {
    summary: 'trains a classifier, a translation or a language model',
    load: () => import('./train.js'),
  },
  experiments: {
    summary: 'trains the four presets of the course notebook',
    load: () => import('./experiments.js'),
  },
  compare: {
    summary: 'shows runs side by side, and beside the notebook',
    load: () => import('./compare.js'),
  },
  evaluate: { summary: 'prints the report of a trained model', load: () => import('./evaluate.js') },
  predict: {
    summary: 'prints the answers of a trained model, a line each',
    load: () => import('./predict.js'),
  },
  generate: {
    summary: 'continues a text with a language model',
    load: () => import('./generate.js'),
  },
  memorisation: {
    summary: 'writes a page that shows what predictions depend on',
    load: () => import('./memorisation.js'),
  },
  split: { summary: 'divides articles into training and test articles', load: () => import('./split.js') },
  inspect: {
    summary: 'counts articles, words and what padding would cost',
    load: () => import('./inspect.js'),
  },
  convert: {
    summary: "lists PyTorch's files, and writes their tensors as safetensors",
    load: () => import('./convert.js'),
  },
  bench: {
    summary: 'measures passes and steps beside the peers that are installed',
    load: () => import('./bench.js'),
  },
  build: {
    summary: 'compiles the native addon where none is prebuilt',
    load: () => import('./build.js'),
  },
  doctor: {
    summary: "shows which devices work on this machine, and why others don't",
    load: () => import('./doctor.js'),
  },
}

const overview = `packed-rnn COMMAND

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`)
  .join('\n')}

packed-rnn COMMAND --help shows its options.`

/** Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted. */
async function main([name, ...args]: string[]): Promise<number> {
  const wantsHelp = (text: string | undefined) => text === undefined || text === '--help' || text === '-h'
  if (name === undefined || wantsHelp(name)) {
    process.stdout.write(`${overview}\n`)
    return 0
  }
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (found === undefined) {
    process.stderr.write(`packed-rnn: wanted one of ${Object.keys(commands).join(', ')}, got ${name}\n`)
    return 2
  }
  const interrupt = new AbortController()
  // Once: a second Ctrl-C ends the process at once.
  process.once('SIGINT', () => interrupt.abort(new Error('interrupted')))
  let usage: Command['usage'] = ''
  const usageText = async () => (typeof usage === 'string' ? usage : await usage(args))
  try {
    const command = await found.load()
    usage = command.usage
    if (args.some(arg => wantsHelp(arg))) process.stdout.write(`${await usageText()}\n`)
    else await command.execute(args, interrupt.signal)
    return 0
  } catch (error) {
    if (interrupt.signal.aborted) {
      process.stderr.write('packed-rnn: interrupted\n')
      return 130
    }
    process.stderr.write(`packed-rnn ${name}: ${describe(error)}\n`)
    if (!(error instanceof UsageError)) return 1
    process.stderr.write(`\n${await usageText()}\n`)
    return 2
  }
}

// The reader of a pipe may stop reading, as `head` does. Then there is nothing left to do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

const code = await main(process.argv.slice(2))
// The doctor sets it itself: what does not work is its result, and no error of the command.
if (code !== 0) process.exitCode = code
