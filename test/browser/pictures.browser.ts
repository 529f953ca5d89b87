import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeComparison } from '../../src/reports/compare.js'
import { writeReport } from '../../src/reports/report.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { inventRun, writeRun } from '../reports/invented.js'
import { browserFile, launch, withoutBrowser } from './chromium.js'
import { inEachView } from './views.js'

const script = fileURLToPath(new URL('../../scripts/pictures.js', import.meta.url))
const run = inventRun({ epochs: 30, test: { 'Kraut & Rüben <"x">': 30, Sport: 20 } })

let browser: Browser
let folder: string

describe.skipIf(browserFile === null)(`scripts/pictures.js${withoutBrowser}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-rnn-pictures-'))
    await writeRun(folder, run)
    await writeReport(folder)
    await writeComparison([folder], join(folder, 'compare.html'))
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  test.each([
    ['report.html', ['training.svg', 'test-documents.svg']],
    [
      'compare.html',
      [
        ...['loss.svg', 'accuracy.svg', 'gradient-norm.svg', 'learning-rate.svg', 'tokens-per-second.svg'],
        ...['scores-by-category.svg', 'confusion-matrices.svg'],
      ],
    ],
  ])('%s: each group of plots becomes a readable picture without text of documents', async (page, names) => {
    const printed = execFileSync(process.execPath, [
      script,
      join(folder, page),
      join(folder, page, '..', 'pictures'),
    ])
    const files = printed.toString().trim().split('\n')
    expect(files.map(file => basename(file))).toEqual(names)
    const words = new Set(run.results.mistakes.flatMap(({ text }) => tokenizers.words(text)))
    const pictures: string[] = []
    for (const file of files) {
      const picture = await readFile(file, 'utf8')
      const long = tokenizers.words(picture).filter(word => word.length > 4)
      expect(long.filter(word => words.has(word))).toEqual([])
      // By itself it has to be well-formed XML.
      const tab = await browser.newPage()
      await tab.goto(pathToFileURL(file).href)
      expect(await tab.evaluate(() => document.documentElement.nodeName)).toBe('svg')
      expect(await tab.locator('parsererror').count()).toBe(0)
      await tab.close()
      pictures.push(picture)
    }
    // In a page, where the checks of a page can read them.
    const wrapped = join(folder, 'wrapped.html')
    const style = '<style>svg { max-width: 100%; height: auto }</style><link rel="icon" href="data:,">'
    await writeFile(wrapped, `<!doctype html><meta charset="utf-8">${style}<body>${pictures.join('')}</body>`)
    await inEachView(browser, wrapped, async () => {})
  })
})
