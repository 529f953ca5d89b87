import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { memorisationPage } from '../../src/explain/page.js'
import { hostile, readingOfTokens } from './readings.js'

/** The data of a page's script. */
function dataOf(html: string) {
  return JSON.parse(html.match(/<script type="application\/json" id="readings">(.*?)<\/script>/s)![1]!)
}

test('the script’s data has every prediction, and its connectivity in 255ths of the strongest', async () => {
  const reading = readingOfTokens(['a', 'bc', 'd'])
  const [data] = dataOf(await memorisationPage([reading]))
  expect(data.starts).toEqual([0, 2, 5])
  expect(data.predictions).toEqual(
    Array.from({ length: 3 }, () => [
      ['first', 0.625],
      ['second', 0.375],
    ]),
  )
  const bytes = Buffer.from(data.strengths, 'base64')
  const shares = reading.predictions.flatMap(({ strengths }) =>
    [...strengths].map(strength => strength / Math.max(...strengths)),
  )
  expect(bytes).toHaveLength(6)
  for (const [i, share] of shares.entries())
    expect(Math.abs(bytes[i]! / 255 - share)).toBeLessThanOrEqual(0.5 / 255 + 1e-6)
})

test('without a script the page shows the last prediction and the words that decided it', async () => {
  const html = await memorisationPage([readingOfTokens(['a', 'b', 'a'])])
  const strengths = [0, 1, 2].map(t => Math.abs(Math.sin(3 * t + 3)))
  const shares = [...html.matchAll(/class="token[^"]*" style="--strength: ([\d.]+)">(\w)</g)]
  expect(shares.map(([, , token]) => token)).toEqual(['a', 'b', 'a'])
  expect(shares.map(([, share]) => Number(share))).toEqual(
    strengths.map(strength => expect.closeTo(strength / Math.max(...strengths), 3)),
  )
  const [b, total] = [strengths[1]!, strengths[0]! + strengths[1]! + strengths[2]!]
  const words = [...html.split('class="words"')[1]!.matchAll(/"name">(.*?)<.*?"value">(.*?)</g)]
  expect(words.map(([, word, share]) => [word, share])).toEqual([
    ['a', `${Math.round((100 * (total - b)) / total)}%`],
    ['b', `${Math.round((100 * b) / total)}%`],
  ])
})

test('a text with predictions for a part has a note, and the list of words can be omitted', async () => {
  const reading = readingOfTokens(['a', 'b', 'a', 'b'])
  const part = { ...reading, predictions: [reading.predictions[0]!, reading.predictions[3]!] }
  const html = await memorisationPage([part])
  expect(html).toContain('The first 1 tokens can be selected.')
  expect(Buffer.from(dataOf(html)[0].strengths, 'base64')).toHaveLength(1 + 4)
  const plain = await memorisationPage([reading], { words: 0, title: 'Two <letters>' })
  expect(plain).not.toMatch(/can be selected|Words that decided/)
  expect(plain).toContain('<h1>Two &lt;letters&gt;</h1>')
})

test('hostile tokens, classes and names are escaped, and only the page’s script may run', async () => {
  const reading = readingOfTokens(hostile, { name: hostile[0]!, classes: [hostile[0]!, hostile[1]!] })
  const html = await memorisationPage([reading], { title: hostile[1]! })
  expect(html).not.toMatch(/<img|<b>|<!--|broken=1<\/script/)
  expect(dataOf(html)[0].predictions[0][0][0]).toBe(hostile[0])
  const scripts = [...html.matchAll(/<script type="module">(.*?)<\/script>/gs)].map(([, script]) => script!)
  expect(scripts).toHaveLength(1)
  const hash = createHash('sha256').update(scripts[0]!).digest('base64')
  expect(html).toContain(`default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}';`)
})

test('rejects an empty list of readings', async () => {
  await expect(memorisationPage([])).rejects.toMatchObject({ code: 'ERR_EMPTY' })
})
