import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { writeComparison } from '../../src/reports/compare.js'
import { writeReport } from '../../src/reports/report.js'
import { classificationMetrics } from '../../src/tasks/classificationMetrics.js'
import { type InventedRun, inventRun, official, writeRun } from './invented.js'

const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-reports-'))
afterAll(() => rm(folder, { recursive: true }))

/** Writes a run and its page. */
async function report(name: string, run: InventedRun): Promise<string> {
  const directory = join(folder, name)
  await mkdir(directory, { recursive: true })
  await writeRun(directory, run)
  await writeReport(directory)
  return await readFile(join(directory, 'report.html'), 'utf8')
}

/** The titles of a page's marks. */
const titles = (page: string) => [...page.matchAll(/<title>([^<]*)<\/title>/g)].map(([, title]) => title!)

describe('the report of a run', () => {
  test('has each number of metrics.jsonl exactly', async () => {
    const run = inventRun({ epochs: 30 })
    const found = titles(await report('plain', run))
    for (const { epoch, loss, accuracy, test, gradNorm, learningRate, tokensPerSecond } of run.epochs) {
      expect(found).toContain(`epoch ${epoch}, training: ${loss}`)
      expect(found).toContain(`epoch ${epoch}, training: ${accuracy}`)
      expect(found).toContain(`epoch ${epoch}, test: ${test!.loss}`)
      expect(found).toContain(`epoch ${epoch}, test: ${test!.accuracy}`)
      expect(found).toContain(`epoch ${epoch}, mean: ${gradNorm.mean}`)
      expect(found).toContain(`epoch ${epoch}, largest: ${gradNorm.largest}`)
      expect(found).toContain(`epoch ${epoch}, learning rate: ${learningRate}`)
      expect(found).toContain(`epoch ${epoch}, tokens per second: ${tokensPerSecond}`)
    }
  })

  test('has scores, confusions and lengths', async () => {
    const run = inventRun()
    const { classes, lengths, test: tested } = run.results
    const page = await report('scores', run)
    const found = titles(page)
    const { perClass } = classificationMetrics(tested.truth, tested.predicted, classes)
    for (const { name, precision, recall, f1 } of perClass) {
      for (const [score, value] of Object.entries({ precision, recall, F1: f1 })) {
        expect(found).toContain(`${name}, ${score}: ${value}`)
      }
    }
    const sport = classes.indexOf('Sport')
    const right = tested.truth.filter((id, n) => id === sport && tested.predicted[n] === sport).length
    expect(found).toContain(`Sport, predicted as Sport: ${right} of 24`)
    const counted = found.flatMap(title => /^\d+ to \d+ tokens: (\d+) of 600 training/.exec(title)?.[1] ?? [])
    expect(counted.reduce((sum, count) => sum + Number(count), 0)).toBe(lengths.training.length)
  })

  test('texts, names and settings are escaped', async () => {
    const hostile = `</title></script><img src=x onerror="alert('1')">&amp;`
    const run = inventRun({ test: { [hostile]: 9, Sport: 9 }, seed: 2 })
    run.results.settings.out = hostile
    run.results.machine.cpu = hostile
    run.results.mistakes = [
      { document: 3, text: hostile.repeat(20), truth: hostile, predicted: 'Sport', probability: 1 },
    ]
    const page = await report('hostile', run)
    expect(page).toContain(
      '&lt;/title&gt;&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;',
    )
    expect(page).not.toMatch(/<img|<script|<\/script/)
    expect(page).toContain('<b>Sport</b> with 100.0 %')
  })

  test('a number that is not finite is a cross, and does not change the axis', async () => {
    const run = inventRun({ epochs: 4 })
    run.epochs[2]!.loss = Number.NaN
    run.epochs[2]!.gradNorm.largest = Number.POSITIVE_INFINITY
    const page = await report('diverged', run)
    expect(titles(page).filter(title => title.endsWith('NaN'))).toEqual([
      'epoch 3, training: NaN',
      'epoch 3, largest: NaN',
    ])
    expect(page).toContain('×: not a finite number')
    // In paths and positions, not in titles.
    expect(page.replaceAll(/<title>[^<]*<\/title>/g, '')).not.toMatch(/="[^"<]*(NaN|Infinity)[^"<]*"/)
  })

  test('a line joins the tested epochs if not all were tested', async () => {
    const run = inventRun({ epochs: 30 })
    run.epochs.forEach((epoch, i) => {
      if (i % 3 > 0) epoch.test = null
    })
    const page = await report('sparse', run)
    expect(titles(page).filter(title => title.includes(', test: '))).toHaveLength(20)
    const [loss] = /<svg[^>]*aria-label="Loss by epoch.*?<\/svg>/s.exec(page)!
    const [, path] = /stroke-dasharray="5 3"[^>]*><path d="([^"]*)"/.exec(loss)!
    expect(path).toMatch(/^M[^ML]+(L[^ML]+){9}$/)
  })

  test.each([
    ['of the notebook’s articles', { ...official, epochs: 2 }, null],
    [
      'with one article less to train on',
      { ...official, training: 9244, epochs: 2 },
      /it uses 10kGNAD’s official 9,245 training and 1,028 test articles, and this run 9,244 training and 1,028 test articles/,
    ],
    [
      'with other test articles',
      { ...official, test: { ...official.test, Web: 167, Kultur: 55 } },
      /Not comparable/,
    ],
    [
      'of other categories',
      { test: { '0': 8, '1': 4 } },
      /it uses the nine categories of .*, and this run has other categories/,
    ],
  ])('a run %s: whether it compares with the notebook', async (name, invention, wanted) => {
    const page = await report(name.replaceAll(/\W/g, ''), inventRun({ preset: 'lstm64-sgd', ...invention }))
    if (wanted === null) expect(page).not.toContain('Not comparable')
    else expect(page).toMatch(wanted)
    const notebook = titles(page).filter(title => title.includes('the notebook'))
    expect(notebook).toHaveLength('0' in (invention.test ?? {}) ? 0 : 27)
    if (notebook.length > 0) expect(notebook).toContain('Wissenschaft, precision, the notebook: 0.53')
    // The summary shows the notebook's figures only for comparable runs.
    expect(/<small>the notebook: 0\.80/.test(page)).toBe(wanted === null)
  })

  test('invalid files are errors that name the file', async () => {
    const run = inventRun({ epochs: 1 })
    await report('broken', run)
    await writeFile(join(folder, 'broken', 'metrics.jsonl'), '{}\n')
    await expect(writeReport(join(folder, 'broken'))).rejects.toThrow(/metrics\.jsonl:1/)
    await expect(writeReport(join(folder, 'nowhere'))).rejects.toThrow(/nowhere.results\.json/)
  })
})

describe('the comparison of runs', () => {
  test('all have the same axes and last epoch', async () => {
    const runs = {
      a: inventRun({ epochs: 3 }),
      b: inventRun({ epochs: 9, preset: 'bilstm64x4-adam', seed: 2 }),
    }
    runs.b.epochs[0]!.loss = 5
    for (const [name, run] of Object.entries(runs)) await report(name, run)
    const file = join(folder, 'compare.html')
    await writeComparison([join(folder, 'a'), join(folder, 'b')], file)
    const page = await readFile(file, 'utf8')
    const losses = [...page.matchAll(/<svg[^>]*aria-label="Loss by epoch.*?<\/svg>/gs)].map(([svg]) => svg)
    expect(losses).toHaveLength(2)
    const [ofA, ofB] = losses.map(svg =>
      ['x', 'y'].map(
        axis => new RegExp(`<g [^>]*aria-label="${axis}-axis tick label".*?</g>`, 's').exec(svg)?.[0],
      ),
    )
    expect(ofA).toEqual(ofB)
    expect(ofA).not.toContain(undefined)
    expect(ofA![1]).toContain('>5<')
  })

  test('rejects an empty list of runs', async () => {
    await expect(writeComparison([], join(folder, 'none.html'))).rejects.toThrow('no runs')
  })
})
