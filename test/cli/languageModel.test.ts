import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Generator } from '../../src/random.js'
import { cli, main } from './command.js'

/** `train`, `evaluate`, `predict` and `generate` of language models, on lines that repeat themselves. */

let folder: string
const at = (name: string) => join(folder, name)

const lines = ['the cat sat on the mat', 'the dog lay on the rug', 'a bird sang in the tree']
function text(count: number, seed: number): string {
  const generator = new Generator(seed)
  return Array.from({ length: count }, () => `${lines[generator.below(lines.length)]}\n`).join('')
}

const small = [
  ...['--task', 'language-model', '--embedding-dim', '16', '--hidden-size', '24', '--batch-size', '4'],
  ...['--threads', '1', '--quiet'],
]
const files = () => ['--train', at('train.txt'), '--valid', at('valid.txt')]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-language-'))
  await writeFile(at('train.txt'), text(300, 1))
  await writeFile(at('valid.txt'), text(60, 2))
  const options = [
    ...['--preset', 'characters', '--dropout-factor', '0', '--layers', '1', '--epochs', '20', '--lr', '0.03'],
    ...['--window', '20', '--out', at('run')],
  ]
  const found = await cli(['train', ...small, ...files(), ...options])
  expect(found).toMatchObject({ code: 0, stdout: expect.stringMatching(/^perplexity +\d/m) })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const perplexityOf = (report: string) => Number(/^perplexity +([\d.]+)$/m.exec(report)?.[1])

describe('a trained run', () => {
  test('has its model, its settings, its results and a page with samples', async () => {
    expect(JSON.parse(await readFile(at('run/config.json'), 'utf8'))).toMatchObject({
      task: 'language-model',
      codec: { name: 'whitespace' },
    })
    const results = JSON.parse(await readFile(at('run/results.json'), 'utf8'))
    expect(results).toMatchObject({ preset: 'characters', words: 3 + 13, unknown: 0 })
    // Which line comes is a choice of three; the rest of it is known.
    const perLine = Math.log(3) / 7
    expect(results.metrics.loss).toBeLessThan(1.3 * perLine)
    expect(results.metrics.loss).toBeGreaterThan(0.9 * perLine)
    expect(Object.keys(results.metrics)).toEqual(['loss', 'perplexity', 'bits', 'bitsPerCharacter'])
    expect(results.samples.map(({ temperature }: { temperature: number }) => temperature)).toEqual([
      0.5, 0.8, 1,
    ])
    const page = await readFile(at('run/report.html'), 'utf8')
    for (const part of ['Samples', 'Perplexity', 'Bits per character']) expect(page).toContain(part)
  })

  test('evaluate scores a text, with several streams and with a cache, and writes the figures', async () => {
    const evaluate = (...options: string[]) =>
      cli(['evaluate', at('run'), '--test', at('valid.txt'), ...options])
    const whole = await evaluate('--json', at('figures.json'))
    const report = await readFile(at('run/report.txt'), 'utf8')
    expect((await evaluate('--batch-size', '10')).stdout).toBe(report)
    const figures = JSON.parse(await readFile(at('figures.json'), 'utf8'))
    expect(figures.perplexity).toBeCloseTo(perplexityOf(whole.stdout), 3)
    expect(figures.tokens).toBe(60 * 7 - 1)
    const cache = ['--cache', '--cache-window', '50', '--cache-lambda', '0.01']
    const cached = await evaluate(...cache)
    expect(Math.abs(perplexityOf(cached.stdout) - figures.perplexity)).toBeLessThan(0.1)
    expect(cached.stdout).not.toBe(whole.stdout)
    expect((await evaluate(...cache, '--cache-theta', '0')).stdout).not.toBe(cached.stdout)
  })

  test('predict prints the scores of lines', async () => {
    const { stdout } = await cli(['predict', at('run')], {
      input: 'the cat sat on the mat\nmat the on cat\n\n',
    })
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map(line => line.split('\t'))
    expect(rows.map(row => row[2] ?? '')).toEqual(['the cat sat on the mat', 'mat the on cat', ''])
    expect(Number(rows[0]![1])).toBeLessThan(2)
    expect(Number(rows[1]![1])).toBeGreaterThan(10)
  })

  test('generate continues a prompt, draws by a seed, and searches', async () => {
    const generate = async (...options: string[]) => (await cli(['generate', at('run'), ...options])).stdout
    expect(await generate('the cat', '--greedy', '--one-line')).toBe('the cat sat on the mat\n')
    const drawn = await generate('--length', '40', '--temperature', '0.7')
    expect(await generate('--length', '40', '--temperature', '0.7', '--seed', '1')).toBe(drawn)
    expect(await generate('--length', '40', '--temperature', '0.7', '--seed', '2')).not.toBe(drawn)
    const found = await generate('the', '--beam', '8', '--n-best', '2', '--one-line')
    const texts = found
      .trimEnd()
      .split('\n')
      .map(line => line.split('\t')[1])
    expect(texts.sort()).toEqual([lines[0], lines[1]])
    expect(await generate('the cat', '--top-k', '1', '--one-line')).toBe('the cat sat on the mat\n')
    const scoresOf = async (alpha: string) =>
      (await generate('the', ...['--beam', '8', '--n-best', '2', '--one-line', '--length-penalty', alpha]))
        .trimEnd()
        .split('\n')
        .map(line => Number(line.split('\t')[0]))
    const [plain, divided] = [await scoresOf('0'), await scoresOf('1')]
    // Six tokens: five words and the end of the line.
    for (const [i, score] of plain.entries()) expect(divided[i]).toBeCloseTo(score / 6, 2)
  })
})

test('lower case, few words, and the model of the last epoch', async () => {
  await writeFile(at('capitals.txt'), text(100, 3).replaceAll('the', 'THE'))
  // A line never ends after this word, so the text is predicted worse with each epoch.
  await writeFile(at('worse.txt'), 'THE\n'.repeat(80))
  const options = ['--preset', 'characters', '--dropout-factor', '0', '--layers', '1', '--epochs', '4']
  const found = await cli([
    ...[
      'train',
      ...small,
      ...options,
      '--lr',
      '0.03',
      '--train',
      at('capitals.txt'),
      '--valid',
      at('worse.txt'),
    ],
    ...['--lowercase', '--max-words', '5', '--keep', 'last', '--out', at('last')],
  ])
  expect(found.code, found.stderr).toBe(0)
  expect(JSON.parse(await readFile(at('last/results.json'), 'utf8')).words).toBe(3 + 5)
  const epochs = (await readFile(at('last/metrics.jsonl'), 'utf8')).trim().split('\n')
  const losses = epochs.map(line => JSON.parse(line).test.loss)
  expect(losses.at(-1)).toBeGreaterThan(Math.min(...losses))
  const evaluated = await cli(['evaluate', at('last'), '--test', at('worse.txt'), '--batch-size', '10'])
  expect(Number(/^loss +(.*)$/m.exec(evaluated.stdout)?.[1])).toBeCloseTo(losses.at(-1), 3)
  const generate = async (...more: string[]) =>
    (await cli(['generate', at('last'), 'THE', '--length', '40', ...more])).stdout
  expect(await generate('--unknown')).toContain('<unk>')
  expect(await generate()).not.toContain('<unk>')
})

test('AWD-LSTM trains with its penalties, and its fine-tuning starts from a run', async () => {
  const options = ['--preset', 'awd-lstm', '--layers', '2', '--epochs', '2', '--lr', '3']
  const first = await cli(['train', ...small, ...files(), ...options, '--out', at('awd')])
  expect(first.code, first.stderr).toBe(0)
  const tuned = await cli([
    ...['train', '--task', 'language-model', ...files(), '--finetune', at('awd'), '--batch-size', '4'],
    ...['--lr', '1', '--epochs', '3', '--threads', '1', '--quiet', '--out', at('tuned')],
  ])
  expect(tuned.code, tuned.stderr).toBe(0)
  expect(perplexityOf(tuned.stdout)).toBeLessThan(perplexityOf(first.stdout))
  // The saved model has the averages that were tested.
  const epochs = (await readFile(at('tuned/metrics.jsonl'), 'utf8')).trim().split('\n')
  const losses = epochs.map(line => JSON.parse(line).test.loss)
  const found = await cli(['evaluate', at('tuned'), '--test', at('valid.txt'), '--batch-size', '10'])
  expect(Number(/^loss +(.*)$/m.exec(found.stdout)?.[1])).toBeCloseTo(Math.min(...losses), 3)
  const config = async (name: string) => JSON.parse(await readFile(at(`${name}/config.json`), 'utf8'))
  expect(await config('tuned')).toEqual(await config('awd'))
})

test('a finished run that is resumed without a better epoch keeps its model', async () => {
  const options = ['--preset', 'zaremba-small', '--epochs', '2', '--dropout-factor', '0', '--out', at('best')]
  expect((await cli(['train', ...small, ...files(), ...options])).code).toBe(0)
  const model = () => readFile(at('best/model.safetensors'))
  const before = await model()
  // A text that no later epoch predicts as well as the first two the other one.
  await writeFile(at('other.txt'), 'tree tree tree sang sang rug rug rug a a bird\n'.repeat(20))
  const other = ['--epochs', '3', '--valid', at('other.txt'), '--quiet']
  const again = await cli(['train', '--resume', at('best'), ...other])
  expect(again.code, again.stderr).toBe(0)
  expect((await model()).equals(before)).toBe(true)
})

test('characters and parts of words', async () => {
  for (const level of ['character', 'bpe']) {
    const more = level === 'bpe' ? ['--merges', '20'] : []
    const options = ['--preset', 'characters', '--level', level, ...more, '--epochs', '1', '--lr', '0.02']
    const found = await cli(['train', ...small, ...files(), ...options, '--out', at(level)])
    expect(found.code, found.stderr).toBe(0)
    const { stdout } = await cli(['generate', at(level), 'the c', '--length', '5', '--greedy'])
    expect(stdout.startsWith('the c')).toBe(true)
  }
})

test('a run that was killed resumes to the same bits', async () => {
  const options = ['--preset', 'characters', '--dropout-factor', '0.5', '--epochs', '3', '--lr', '0.02']
  const command = ['train', ...small, ...files(), ...options, '--window', '10', '--checkpoint', '5']
  expect((await cli([...command, '--out', at('whole')])).code).toBe(0)
  const child = spawn(process.execPath, [main, ...command, '--out', at('killed')], { stdio: 'ignore' })
  const metrics = at('killed/metrics.jsonl')
  const isUnderWay = async () =>
    existsSync(metrics) && (await readFile(metrics, 'utf8')).includes('"epoch":1,')
  while (!(await isUnderWay())) await new Promise(resolve => setTimeout(resolve, 10))
  child.kill('SIGKILL')
  await new Promise(resolve => child.once('exit', resolve))
  const other = await cli(['train', '--resume', at('killed'), '--lr', '1'])
  expect(other.stderr).toContain('--lr: wanted none, because a resumed run keeps its own')
  const longer = await cli(['train', '--resume', at('killed'), '--epochs', '9'])
  expect(longer.stderr).toContain('--epochs: wanted none, because a resumed run keeps its own')
  expect((await cli(['train', '--resume', at('killed'), '--quiet'])).code).toBe(0)
  const modelOf = (name: string) => readFile(at(`${name}/model.safetensors`))
  expect((await modelOf('killed')).equals(await modelOf('whole'))).toBe(true)
})

describe('a bad command line is rejected', () => {
  test.each<[string, string[]]>([
    ['wanted --train FILE', ['train', '--task', 'language-model']],
    [
      '--merges: wanted --level bpe',
      ['train', ...['--task', 'language-model', '--train', 'x', '--merges', '5']],
    ],
    [
      '--keep best: wanted a validation text',
      ['train', ...['--task', 'language-model', '--train', 'x', '--keep', 'best']],
    ],
    [
      '--level: wanted no --finetune, whose run has its own',
      [
        'train',
        ...['--task', 'language-model', '--train', 'x', '--valid', 'x', '--finetune', 'y', '--level', 'bpe'],
      ],
    ],
    [
      '--valid: wanted a text: awd-lstm starts to average by the validation loss',
      ['train', ...['--task', 'language-model', '--train', 'x']],
    ],
    [
      '--preset: wanted one that trains with SGD beside --finetune, got characters',
      [
        'train',
        ...['--task', 'language-model', '--train', 'x', '--valid', 'x', '--finetune', 'y'],
        ...['--preset', 'characters'],
      ],
    ],
    ['--min-probability: wanted a number from 0 to 1, got 2', ['generate', 'run', '--min-probability', '2']],
    ['--greedy: wanted no --beam', ['generate', 'run', '--greedy', '--beam', '3']],
    ['--top-p: wanted a number above 0, at most 1, got 2', ['generate', 'run', '--top-p', '2']],
    ['--n-best: wanted at most --beam 2, got 3', ['generate', 'run', '--beam', '2', '--n-best', '3']],
  ])('%s', async (message, args) => {
    const { code, stderr } = await cli(args)
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  test('a text without a line', async () => {
    await writeFile(at('empty.txt'), '')
    const none = ['--preset', 'characters', '--out', at('none')]
    const found = await cli(['train', ...small, '--train', at('empty.txt'), ...none])
    expect(found.code).toBe(1)
    expect(found.stderr).toContain('StreamLoader: tokens: wanted at least 8 tokens, got 0')
  })

  test('evaluate without a text, and with a cache beside streams', async () => {
    expect((await cli(['evaluate', at('run')])).stderr).toContain('wanted --test FILE')
    const found = await cli(['evaluate', at('run'), '--test', 'x', '--cache', '--batch-size', '3'])
    expect(found.stderr).toContain('--cache: wanted --batch-size 1')
  })
})
