import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectivity } from '../../src/explain/connectivity.js'
import { memorisationPage } from '../../src/explain/page.js'
import { type Reader, type Reading, readerOf, readingOf } from '../../src/explain/reading.js'
import { hostile, readingOfTokens } from '../explain/readings.js'
import { labels, shortClassifier, vocabulary } from '../training/short.js'
import { browserFile, launch, withoutBrowser } from './chromium.js'
import { inEachView } from './views.js'

const text = `${vocabulary.words.slice(0, 60).join(' ')}.`
const common = { dialect: 'csv', posts: null, vocabulary, labels } as const
/** Their tokens differ: the second has the full stops and commas by themselves. */
const readers: Reader[] = [
  readerOf('one', {
    ...common,
    preset: 'lstm64-adam',
    tokenizer: 'whitespace',
    model: shortClassifier('lstm64-adam'),
  }),
  readerOf('two', {
    ...common,
    preset: 'bilstm128x2-adam',
    tokenizer: 'words',
    model: shortClassifier('bilstm128x2-adam', { pooling: 'max' }),
  }),
]

let browser: Browser
let folder: string
let readings: Reading[]

describe.skipIf(browserFile === null)(`the memorisation page${withoutBrowser}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-rnn-memorisation-'))
    browser = await launch()
    readings = await Promise.all(readers.map(reader => readingOf(reader, text)))
    await writeFile(join(folder, 'page.html'), await memorisationPage(readings))
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const tokensOf = (page: Page, reading: number) => page.locator(`#reading-${reading} .token`)

  /** How opaque the colour behind each token is, and which token is the current one. */
  function shown(page: Page, reading: number) {
    return tokensOf(page, reading).evaluateAll(tokens => ({
      // As the browser computes them: rgb(…), rgba(…, a) or color(srgb … / a).
      opacities: tokens.map(token => {
        const { backgroundColor } = getComputedStyle(token)
        const alpha = /(?:rgba\(.*,|\/) *([\d.e-]+)\)$/.exec(backgroundColor)
        return alpha === null ? 1 : Number(alpha[1])
      }),
      current: tokens.findIndex(token => token.matches('.current')),
      unread: tokens.filter(token => token.matches('.unread')).length,
    }))
  }

  /** That a reading shows the prediction at a position, in the numbers that `connectivity` computes. */
  async function expectShown(page: Page, reading: number, position: number): Promise<void> {
    const { model, tokenize, encode } = readers[reading]!
    const ids = encode(tokenize(text))
    const { strengths, predicted, probabilities } = await connectivity(model, ids, position)
    const { opacities, current, unread } = await shown(page, reading)
    expect([current, unread]).toEqual([position, ids.length - 1 - position])
    const strongest = strengths.reduce((a, b) => Math.max(a, b))
    expect(opacities).toHaveLength(ids.length)
    for (const [t, opacity] of opacities.entries()) {
      // Half of the 255th that a share is rounded to, and as much for what the browser rounds.
      expect(Math.abs(opacity - (strengths[t] ?? 0) / strongest), `token ${t}`).toBeLessThan(1 / 255)
    }
    const bar = page.locator(`#reading-${reading} .bars li`).first()
    await expect(bar.locator('.name').textContent()).resolves.toBe(labels.classes[predicted])
    const percent = `${Math.round(100 * Number(probabilities[predicted]!.toFixed(4)))}%`
    await expect(bar.locator('.value').textContent()).resolves.toBe(percent)
  }

  test('pointing at a token colours the tokens that its prediction depends on, in both models', async () => {
    await inEachView(browser, join(folder, 'page.html'), async (page, { width }) => {
      const last = readings.map(({ tokens }) => tokens.length - 1)
      await expectShown(page, 0, last[0]!)
      await expectShown(page, 1, last[1]!)
      for (const position of [20, 0, 7]) {
        await tokensOf(page, 0).nth(position).hover()
        await expectShown(page, 0, position)
        await expectShown(page, 1, readings[1]!.starts.indexOf(readings[0]!.starts[position]!))
      }
      await page.mouse.move(1, 1)
      await expectShown(page, 0, last[0]!)

      const boxes = await Promise.all([0, 1].map(r => page.locator(`#reading-${r}`).boundingBox()))
      const [one, two] = [boxes[0]!, boxes[1]!]
      if (width > 1000) expect([two.y, two.x > one.x + one.width]).toEqual([one.y, true])
      else expect([two.x, two.y >= one.y + one.height]).toEqual([one.x, true])
    })
  })

  test('keys move between tokens, a click pins one, and screen readers are notified', async () => {
    await inEachView(browser, join(folder, 'page.html'), async page => {
      const area = page.locator('#reading-0 .text')
      const last = readings[0]!.tokens.length - 1
      await page.keyboard.press('Tab')
      await expect(area.evaluate(element => element === document.activeElement)).resolves.toBe(true)
      await page.keyboard.press('ArrowLeft')
      await page.keyboard.press('ArrowLeft')
      await expectShown(page, 0, last - 2)
      const status = await page.locator('#reading-0 [role=status]').textContent()
      expect(status).toMatch(
        new RegExp(`^After token ${last - 1}, “.*”: .*, \\d+%\\. It depends most on .*\\.$`),
      )
      await page.keyboard.press('Home')
      await page.keyboard.press('ArrowLeft')
      await expectShown(page, 0, 0)
      await page.keyboard.press('PageDown')
      await expectShown(page, 0, 10)
      await tokensOf(page, 0).nth(15).click()
      await tokensOf(page, 0).nth(30).hover()
      await page.mouse.move(1, 1)
      await expectShown(page, 0, 15)
      await page.keyboard.press('Escape')
      await expectShown(page, 0, last)
    })
  })

  test('in a long text, early tokens can be pointed at, and the last one colours the whole text', async () => {
    const part = await readingOf(readers[0]!, text, { positions: 12 })
    const file = join(folder, 'part.html')
    await writeFile(file, await memorisationPage([part]))
    const last = part.tokens.length - 1
    await inEachView(browser, file, async page => {
      await expectShown(page, 0, last)
      await tokensOf(page, 0).nth(11).hover()
      await expectShown(page, 0, 11)
      await tokensOf(page, 0).nth(12).hover()
      await expectShown(page, 0, last)
      await page.locator('#reading-0 .text').focus()
      await page.keyboard.press('ArrowLeft')
      await expectShown(page, 0, 11)
      await page.keyboard.press('ArrowRight')
      await expectShown(page, 0, last)
    })
  })

  test('scrolling under a resting pointer does not change what is shown', async () => {
    await inEachView(browser, join(folder, 'page.html'), async page => {
      await tokensOf(page, 0).nth(11).hover()
      await page.locator('#reading-0 .text').focus()
      await page.keyboard.press('Home')
      await page.evaluate(scrollBeneath)
      await expectShown(page, 0, 0)
      await tokensOf(page, 0).nth(7).hover()
      await expectShown(page, 0, 7)
    })
  })

  test('hostile text is shown as text, and long names without spaces fit a phone', async () => {
    const long = 'x'.repeat(300)
    const names = { name: hostile[1]!, classes: [hostile[0]!, long] }
    const others = [readingOfTokens([...hostile, long], names), readingOfTokens(['\u202eא', 'b\u0000c'])]
    const file = join(folder, 'hostile.html')
    await writeFile(file, await memorisationPage(others, { title: hostile[4]! }))
    await inEachView(browser, file, async page => {
      await tokensOf(page, 0).nth(1).hover()
      await expect(tokensOf(page, 0).allTextContents()).resolves.toEqual([...hostile, long])
      await expect(page.locator('#reading-0 .bars .name').first().textContent()).resolves.toBe(hostile[0])
      expect(await page.evaluate(() => 'broken' in window)).toBe(false)
      expect(await page.locator('img, b').count()).toBe(0)
    })
  })
})

/** In the page: scrolls by two lines, and waits until the browser has looked what is beneath the pointer now. */
async function scrollBeneath(): Promise<void> {
  document.body.style.paddingBottom = '100vh'
  window.scrollBy(0, 60)
  await new Promise(resolve => setTimeout(resolve, 300))
}
