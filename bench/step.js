// A training step of workload A (frozen embedding 300, LSTM 64, linear 9, cross entropy, clipping, Adam) on 256
// articles, beside PyTorch in the same run: the losses of the first steps are compared before anything is timed, then
// the steps are interleaved.
//
//   npm run bench -- [--articles FILE] [--threads N] [--repeats N] [--packed] [--json FILE]
//
// Articles are 10kGNAD's format; by default the ones in PACKED_RNN_DATA or ../shared/data, else invented ones.
// PyTorch is /usr/bin/python3's (Debian: python3-torch with libopenblas0-openmp); without it, ours runs alone.
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { device, packSequence, text, training } from '../dist/index.js'
import { compare, median } from './compare.js'
import { hashed } from './hashed.js'
import { startTorch } from './torch.js'

const BATCH = 256
const INPUT_SIZE = 300
const CHECKED_STEPS = 3

const { values } = parseArgs({
  options: {
    articles: { type: 'string' },
    threads: { type: 'string', default: String(cpus().length) },
    repeats: { type: 'string', default: '7' },
    packed: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})

function articlesFile() {
  if (values.articles !== undefined) return values.articles
  const data = process.env.PACKED_RNN_DATA ?? new URL('../../shared/data', import.meta.url).pathname
  const file = join(data, 'gnad', 'articles.csv')
  return existsSync(file) ? file : null
}

async function ours(articles, threads) {
  const on = device('cpu', { threads })
  const documents = articles.map(article => text.tokenizers.whitespace(article.text))
  const vocabulary = text.Vocabulary.fromDocuments(documents)
  const labels = text.LabelEncoder.fit(articles.map(article => article.category))
  const batch = {
    ids: packSequence(documents.map(words => vocabulary.encode(words))),
    labels: labels.transform(articles.map(article => article.category)),
  }
  const model = new training.Classifier({
    preset: training.presets['lstm64-adam'],
    device: on,
    vocabularySize: vocabulary.size,
    classes: labels.classes.length,
    embeddingDim: INPUT_SIZE,
    vectors: hashed(vocabulary.size * INPUT_SIZE),
  })
  const parameters = {}
  for (const [name, { data }] of await model.stateDict()) {
    if (!name.startsWith('embedding.')) parameters[name] = [...data]
  }
  const trainer = new training.Trainer(model, training.presets['lstm64-adam'])
  const step = async () => {
    const start = performance.now()
    const loss = trainer.step(batch)
    const javascript = performance.now() - start
    const value = await loss.item()
    loss.dispose()
    return { seconds: (performance.now() - start) / 1000, javascript: javascript / 1000, loss: value }
  }
  return { name: 'packed-rnn', device: on, tokens: batch.ids.sequences.rows, parameters, step, close() {} }
}

const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-bench-'))
try {
  const threads = Number(values.threads)
  let file = articlesFile()
  if (file === null) {
    file = join(folder, 'articles.csv')
    await text.writeArticles(file, text.inventArticles(BATCH, 1))
  }
  const articles = (await text.readArticles(file)).slice(0, BATCH)
  const own = await ours(articles, threads)
  const parameters = join(folder, 'parameters.json')
  await writeFile(parameters, JSON.stringify(own.parameters))
  const paths = [
    { path: 'segmented', pieces: 1 },
    { path: 'padded', pieces: 4 },
    ...(values.packed ? [{ path: 'packed', pieces: 1 }] : []),
  ]
  const peers = []
  for (const how of paths) {
    const peer = await startTorch({ csv: file, articles: articles.length, threads, parameters, ...how })
    if (peer === null) {
      process.stderr.write('PyTorch is not installed: nothing to compare with\n')
      break
    }
    peers.push(peer)
  }
  const runners = [own, ...peers]
  const results = await compare(runners, { checkedSteps: CHECKED_STEPS, repeats: Number(values.repeats) })
  for (const runner of runners) runner.close()

  const [mine] = results
  process.stdout.write(
    `${articles.length} articles, ${own.tokens} tokens, ${threads} threads, ${cpus()[0].model}\n`,
  )
  const rows = results.map(({ name, seconds }) => {
    const middle = median(seconds)
    return {
      name,
      'ms a step': Math.round(middle * 1000),
      'tokens/s': Math.round(own.tokens / middle),
      'packed-rnn is faster by': Number((middle / median(mine.seconds)).toFixed(2)),
    }
  })
  console.table(rows)
  const javascript = median(mine.javascript) / median(mine.seconds)
  process.stdout.write(`JavaScript: ${(100 * javascript).toFixed(1)} % of our step\n`)
  if (values.json !== undefined) {
    const figures = {
      cpu: cpus()[0].model,
      instructions: own.device.instructions,
      threads,
      tokens: own.tokens,
      results,
    }
    await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
