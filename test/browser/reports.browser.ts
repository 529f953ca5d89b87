import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { devicePage } from '../../src/bench/device/page.js'
import { writeComparison } from '../../src/reports/compare.js'
import { writeReport } from '../../src/reports/report.js'
import { deviceFinding, epoch, points, run } from '../bench/deviceFindings.js'
import { type EpochLine, type InventedRun, inventRun, official, writeRun } from '../reports/invented.js'
import { browserFile, launch, withoutBrowser } from './chromium.js'
import { inEachView } from './views.js'

let browser: Browser
let folder: string

async function write(name: string, run: InventedRun): Promise<string> {
  const directory = join(folder, name)
  await mkdir(directory, { recursive: true })
  await writeRun(directory, run)
  await writeReport(directory)
  return join(directory, 'report.html')
}

/** A dot of a plot: the number in its title, and its middle in the window, in pixels. */
interface Dot {
  epoch: number
  value: number
  x: number
  y: number
}

/** The dots of one curve in the plot whose label begins with `measure`. */
function dotsOf(page: Page, measure: string, curve: string): Promise<Dot[]> {
  return page.locator(`svg[aria-label^="${measure} by epoch"] circle`).evaluateAll((circles, curve) => {
    return circles.flatMap(circle => {
      const [, epoch, name, value] = /^epoch (\d+), (.*): (.*)$/.exec(circle.textContent ?? '') ?? []
      const { x, y, width, height } = circle.getBoundingClientRect()
      return name === curve
        ? [{ epoch: Number(epoch), value: Number(value), x: x + width / 2, y: y + height / 2 }]
        : []
    })
  }, curve)
}

/** Expects dots to stand where an axis that is even in `scale` of the numbers puts them. */
function expectEven(dots: readonly Dot[], scale: (value: number) => number = value => value): void {
  const byValue = [...dots].sort((a, b) => a.value - b.value)
  const [low, high] = [byValue[0]!, byValue.at(-1)!]
  const slope = (high.y - low.y) / (scale(high.value) - scale(low.value))
  expect(slope).toBeLessThan(0)
  for (const { value, y } of dots) expect(y).toBeCloseTo(low.y + slope * (scale(value) - scale(low.value)), 1)
  const [first, last] = [dots[0]!, dots.at(-1)!]
  for (const { epoch, x } of dots) {
    const share = (epoch - first.epoch) / (last.epoch - first.epoch)
    expect(x).toBeCloseTo(first.x + share * (last.x - first.x), 1)
  }
}

describe.skipIf(browserFile === null)(`pages about runs${withoutBrowser}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-rnn-pages-'))
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const curves: [string, string, (epoch: EpochLine) => number][] = [
    ['Loss', 'training', epoch => epoch.loss],
    ['Loss', 'test', epoch => epoch.test!.loss],
    ['Accuracy', 'training', epoch => epoch.accuracy],
    ['Accuracy', 'test', epoch => epoch.test!.accuracy],
    ['Gradient norm', 'mean', epoch => epoch.gradNorm.mean],
    ['Gradient norm', 'largest', epoch => epoch.gradNorm.largest],
    ['Learning rate', 'learning rate', epoch => epoch.learningRate],
    ['Tokens per second', 'tokens per second', epoch => epoch.tokensPerSecond],
  ]

  test.each([12, 100])(
    'the plots of %d epochs show the numbers of metrics.jsonl at the right places',
    async count => {
      const run = inventRun({ ...official, epochs: count })
      run.epochs.forEach((epoch, i) => {
        epoch.learningRate = 0.1 * 0.98 ** i
      })
      await inEachView(browser, await write(`plain${count}`, run), async page => {
        for (const [measure, curve, value] of curves) {
          const dots = await dotsOf(page, measure, curve)
          expect(dots.map(dot => [dot.epoch, dot.value])).toEqual(
            run.epochs.map(epoch => [epoch.epoch, value(epoch)]),
          )
          expectEven(dots)
        }
      })
    },
  )

  test('numbers of different magnitudes have a logarithmic axis', async () => {
    const run = inventRun({ epochs: 8 })
    run.epochs.forEach((epoch, i) => {
      epoch.loss = 10 ** (3 - i)
    })
    await inEachView(browser, await write('far', run), async page => {
      expectEven(await dotsOf(page, 'Loss', 'training'), Math.log)
    })
  })

  test('the lengths of bars are the scores, and the notebook’s lines are at its figures', async () => {
    const run = inventRun({ ...official, epochs: 2, preset: 'lstm64-sgd' })
    await inEachView(browser, await write('bars', run), async page => {
      const widths = await page
        .locator('svg[aria-label^="Precision, recall and F1"] rect')
        .evaluateAll(bars =>
          bars.map(bar => [Number(bar.textContent!.split(': ')[1]), bar.getBoundingClientRect().width]),
        )
      expect(widths).toHaveLength(27)
      const scale = widths[0]![1]! / widths[0]![0]!
      for (const [value, width] of widths) expect(width).toBeCloseTo(value! * scale, 1)
      const lines = await page
        .locator('svg[aria-label^="Precision, recall and F1"] line:has(title)')
        .evaluateAll(lines => lines.map(line => line.textContent))
      expect(lines).toContain('Wissenschaft, precision, the notebook: 0.53')
      const table = page.locator('.wide:has([aria-label^="Classification report"])')
      expect(await table.evaluate(box => box.scrollWidth - box.clientWidth)).toBe(0)
    })
  })

  test('a run with every kind of failure, and with a text that contains a script', async () => {
    const hostile = '</script><img src=x onerror="document.title = 1"><script>document.title = 2</script>'
    const run = inventRun({
      epochs: 5,
      test: { [hostile.repeat(3)]: 40, Donaudampfschifffahrtsgesellschaften: 9, B: 3 },
    })
    for (const epoch of run.epochs) {
      epoch.loss = Number.NaN
      epoch.gradNorm = { mean: Number.NaN, largest: Number.NaN }
      epoch.test = null
    }
    run.results.test.loss = Number.NaN
    for (const mistake of run.results.mistakes) mistake.text = hostile.repeat(9)
    await inEachView(browser, await write('wrong', run), async page => {
      expect(await page.title()).toMatch(/^lstm64-adam, accuracy/)
      expect(await page.locator('script, img').count()).toBe(0)
      expect(await page.locator('blockquote').first().textContent()).toContain(
        '<script>document.title = 2</script>',
      )
      const crosses = page.locator('svg[aria-label^="Loss"] path title')
      expect(await crosses.first().textContent()).toBe('epoch 1, training: NaN')
      expect(await crosses.count()).toBe(5)
    })
  })

  test.each([
    ['one epoch and two categories', inventRun({ epochs: 1, test: { '0': 300, '1': 40 } })],
    ['no mistake, and articles without a word', inventRun({ epochs: 2, test: { Web: 1, Sport: 0 } })],
  ])('%s', async (name, run) => {
    if (run.results.test.truth.length === 1) {
      run.results.test.predicted = [0]
      run.results.mistakes = []
      run.results.lengths = { training: [0, 0], test: [0] }
    }
    await inEachView(browser, await write(name.replaceAll(/\W/g, ''), run), async page => {
      expect(await page.locator('figure').count()).toBe(9)
      expect(await page.locator('svg[role=img][aria-label]').count()).toBe(8)
      expect(await dotsOf(page, 'Loss', 'training')).toHaveLength(run.epochs.length)
    })
  })

  test('the comparison of four runs', async () => {
    const runs = [
      inventRun({ ...official, preset: 'lstm64-sgd', epochs: 30 }),
      inventRun({ ...official, preset: 'lstm64-adam', epochs: 20, seed: 2 }),
      inventRun({ preset: 'bilstm128x2-adam', epochs: 10, seed: 3 }),
      inventRun({ preset: 'bilstm64x4-adam', epochs: 1, seed: 4, test: { '0': 8, '1': 4 } }),
    ]
    for (const [i, run] of runs.entries()) await write(`run${i}`, run)
    const file = join(folder, 'compare.html')
    await writeComparison(
      runs.map((_, i) => join(folder, `run${i}`)),
      file,
    )
    await inEachView(browser, file, async page => {
      for (const [measure, curve, value] of curves) {
        const dots = await dotsOf(page, measure, curve)
        expect(dots.map(dot => dot.value)).toEqual(runs.flatMap(({ epochs }) => epochs.map(value)))
      }
      // The same height in all plots of a row says the same number.
      const accuracies = page.locator('svg[aria-label^="Accuracy"] g[aria-label="y-axis tick label"]')
      expect(new Set(await accuracies.evaluateAll(axes => axes.map(axis => axis.textContent))).size).toBe(1)
      expect(await page.locator('.note').count()).toBe(2)
      expect(await page.locator('table').count()).toBe(5)
    })
  })

  test('the results of a device report: curves and bars with their numbers', async () => {
    const names = ['packed-rnn', 'PyTorch padded', 'PyTorch packed']
    const epochs = ['A', 'B'].flatMap(workload => names.map((who, i) => epoch(who, 4, 2 + i, { workload })))
    const wrong = epoch('packed-rnn', 0, null, { workload: 'C', reason: 'failed: <img src=x>' })
    const file = join(folder, 'device.html')
    await writeFile(
      file,
      devicePage([run, deviceFinding, ...epochs, wrong, ...points(names), ...points(names, 128)]),
    )
    await inEachView(browser, file, async page => {
      expect(await page.locator('img').count()).toBe(0)
      const bars = page.locator('svg[aria-label^="Seconds of an epoch"] rect')
      const widths = await bars.evaluateAll(all => all.map(bar => bar.getBoundingClientRect().width))
      expect(widths.map(width => Math.round((2 * width) / widths[0]!))).toEqual([2, 3, 4, 2, 3, 4])
      // Over T and over B, at two sizes.
      await expect(page.locator('svg[aria-label^="Microseconds of a layer-step"]').count()).resolves.toBe(4)
      const dots = page.locator('svg[aria-label^="Microseconds of a layer-step over B"] circle title')
      expect(await dots.allTextContents()).toContain('PyTorch packed, B 256: 699.75 µs')
    })
  })
})
