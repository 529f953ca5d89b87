import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { presets } from '../../src/models/presets.js'
import { writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { inventRun, official, writeRun } from '../reports/invented.js'
import { cli } from './command.js'

let folder: string
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-compare-'))
  const runs = {
    small: inventRun({ preset: 'lstm64-sgd', epochs: 3 }),
    whole: inventRun({ preset: 'bilstm128x2-adam', epochs: 3, ...official }),
  }
  // A slow first epoch does not count.
  runs.whole.epochs.forEach((epoch, i) => {
    epoch.seconds = [90, 6, 3][i]!
  })
  for (const [name, run] of Object.entries(runs)) {
    await mkdir(at(name))
    await writeRun(at(name), run)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('prints the notebook’s table for each run, beside the notebook’s figures where they compare', async () => {
  const { code, stdout, stderr } = await cli(['compare', at('small'), at('whole'), '--out', at('c.html')])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const [glance, small, whole] = stdout.split('\n\n')
  expect(glance).toMatch(/small +lstm64-sgd +0\.\d\d +0\.\d\d +0\.\d\d +\d+\.\d\n/)
  expect(glance).toMatch(/whole +bilstm128x2-adam( +0\.\d\d \(0\.85\)){3} +10 \(~55\)/)
  expect(small).toMatch(/Not comparable with the notebook: .* this run 600 training and 202 test articles/)
  expect(small).not.toContain('(')
  expect(whole).not.toContain('Not comparable')
  expect(whole).toMatch(/Etat +\S+ \(0\.86\) +\S+ \(0\.76\) +\S+ \(0\.81\) +67\n/)
  expect(whole).toMatch(/accuracy +0\.\d\d \(0\.85\) +1028\n/)
  expect(whole).toMatch(/minutes for 100 epochs +10 \(~55\)/)
  expect(await readFile(at('c.html'), 'utf8')).toContain('2 runs side by side')
})

test('experiments end in the comparison, and write the page of a run that lacks it', async () => {
  const articles = inventArticles(40, 8).map(({ category, text }) => ({
    category,
    text: tokenizers.whitespace(text).slice(0, 20).join(' '),
  }))
  await writeArticles(at('articles.csv'), articles)
  const args = ['experiments', '--train', at('articles.csv'), '--test', at('articles.csv'), '--epochs', '1']
  const first = await cli([...args, '--quiet', '--out', at('four')])
  expect(first).toMatchObject({ code: 0, stderr: '' })
  const names = Object.keys(presets)
  const glance = first.stdout.split('\n\n')[0]!.split('\n').slice(1)
  expect(glance.map(row => row.trim().split(/ +/)[1])).toEqual(names)
  expect(await readFile(at('four/compare.html'), 'utf8')).toContain('4 runs side by side')
  const page = at(`four/${names[2]}/report.html`)
  const before = await readFile(page)
  await rm(page)
  expect(await cli([...args, '--quiet', '--out', at('four')])).toEqual(first)
  expect(await readFile(page)).toEqual(before)
})

test.each([
  [[], 2, /wanted runs, got none/],
  [['nowhere'], 1, /nowhere.results\.json: ENOENT/],
])('compare %j is an error', async (args, wanted, message) => {
  const { code, stderr } = await cli(['compare', ...args])
  expect(code).toBe(wanted)
  expect(stderr).toMatch(message)
})
