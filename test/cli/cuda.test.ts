import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Article, writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { whyNoCuda } from '../cuda.js'
import { cli } from './command.js'

let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-cli-cuda-'))
  const short = ({ category, text }: Article) => ({
    category,
    text: tokenizers.whitespace(text).slice(0, 12).join(' '),
  })
  await writeArticles(at('articles.csv'), inventArticles(24, 4).map(short))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const reason = whyNoCuda()
const title = 'a run trains on CUDA, is evaluated there and on the CPU, and resumes on either'
test.skipIf(reason !== null)(reason === null ? title : `${title}: ${reason}`, async () => {
  const files = ['--train', at('articles.csv'), '--test', at('articles.csv')]
  const on = ['--device', 'cuda', '--precision', 'float32']
  const saved = ['--out', at('run'), '--json', at('train.json')]
  const trained = await cli(['train', ...files, '--epochs', '1', ...on, ...saved])
  expect(trained).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/on cuda:0 \(.+, float32\), sm_\d+: /),
  })
  const figures = JSON.parse(await readFile(at('train.json'), 'utf8'))
  const instructions = expect.stringMatching(/^sm_/)
  expect(figures).toMatchObject({ device: 'cuda', precision: 'float32', threads: null, instructions })

  const evaluate = (...on: string[]) =>
    cli(['evaluate', at('run'), '--test', at('articles.csv'), '--device', ...on])
  expect(await evaluate('cuda', '--precision', 'float32')).toEqual({
    code: 0,
    stdout: trained.stdout,
    stderr: '',
  })
  expect(await evaluate('cpu')).toEqual({ code: 0, stdout: trained.stdout, stderr: '' })

  const goOn = (epochs: string, ...options: string[]) =>
    cli(['train', '--resume', at('run'), '--epochs', epochs, ...options])
  expect((await goOn('2')).stderr).not.toContain('not the bits')
  expect((await goOn('3', '--device', 'cpu')).stderr).toContain('was on cuda in float32 before')
  expect((await goOn('4', '--device', 'cuda')).stderr).toContain('was on cpu in float32 before')
})
