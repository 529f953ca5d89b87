import { memorisationPage } from '../explain/page.js'
import { POSITIONS, type Reading, readerOf, readingOf } from '../explain/reading.js'
import { writeWhole } from '../files/write.js'
import { loadRun } from '../tasks/classifierRun.js'
import { readArticles } from '../text/gnad.js'
import { deviceChoice, deviceOptions, openDevice } from './deviceOptions.js'
import { readInput } from './input.js'
import { entry, fileOption, integerOption, parse, UsageError, usageOf } from './options.js'

const table = {
  out: { ...fileOption('the file to write, in HTML'), value: 'PAGE' },
  article: integerOption("FILE holds articles in 10kGNAD's format, and the text is the Nth, from 0", 0),
  tokens: integerOption(
    `makes the first N tokens selectable, default ${POSITIONS}; for later ones, only the final prediction\n` +
      'is shown. Time and size grow with the square of N',
    1,
  ),
  ...deviceOptions,
} as const

export const usage = `packed-rnn memorisation RUN [RUN …] FILE --out PAGE [OPTION …]

Writes a page that shows what a model's predictions depend on: one file, to be opened in a browser.
Pointing at a token of the text shows the category after it and colours the tokens that decided it.
Several models stand side by side.

${entry('RUN', 'a directory that train wrote')}
${entry('FILE', 'the text, plain or .gz; - is standard input')}
${usageOf(table)}`

/** At more, a page takes 8 MB and minutes. */
const MOST_TOKENS = 4000

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, table)
  const file = positionals.at(-1)
  const directories = positionals.slice(0, -1)
  if (file === undefined || directories.length === 0) throw new UsageError('wanted a run and a file')
  if (values.out === undefined) throw new UsageError('wanted --out PAGE')
  const { article, tokens: positions = POSITIONS } = values
  if (positions > MOST_TOKENS)
    throw new UsageError(`--tokens: wanted at most ${MOST_TOKENS}, got ${positions}`)
  const device = openDevice(deviceChoice(values))

  const text = article === undefined ? await textOf(file, signal) : await articleOf(file, article, signal)
  const readings: Reading[] = []
  for (const directory of directories) {
    const run = await loadRun(directory, { device })
    readings.push(
      await readingOf(readerOf(`${directory}, ${run.preset ?? 'other layers'}`, run), text, {
        positions,
        signal,
      }),
    )
    run.model.dispose()
  }
  await writeWhole(values.out, Buffer.from(await memorisationPage(readings)))
  for (const reading of readings) process.stdout.write(`${summary(reading)}\n`)
}

async function textOf(file: string, signal: AbortSignal): Promise<string> {
  let text = ''
  for await (const piece of readInput(file, signal)) text += piece
  return text
}

async function articleOf(file: string, n: number, signal: AbortSignal): Promise<string> {
  const articles = await readArticles(file, { signal })
  const found = articles[n]
  if (found === undefined)
    throw new UsageError(`--article: wanted one of ${articles.length}, from 0, got ${n}`)
  return found.text
}

function summary({ name, tokens, predictions, classes }: Reading): string {
  const { predicted, probabilities } = predictions.at(-1)!
  const probability = probabilities[predicted]!.toFixed(4)
  return `${name}: ${tokens.length} tokens, ${classes[predicted]} ${probability}`
}
