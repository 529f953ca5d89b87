import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserFile, launch, withoutBrowser } from './chromium.js'
import { inEachView } from './views.js'

/** That the checks of every page find what they look for. */

let browser: Browser
let folder: string

const page = (body: string, style = '') => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>A page</title><link rel="icon" href="data:,">
<style>:root { color-scheme: light dark } @media print { :root { color-scheme: light } } ${style}</style></head>
<body>${body}</body></html>`

async function look(html: string, check = async () => {}): Promise<void> {
  const file = join(folder, 'page.html')
  await writeFile(file, html)
  await inEachView(browser, file, check)
}

describe.skipIf(browserFile === null)(`the checks of every page${withoutBrowser}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-rnn-views-'))
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  test('a plain page passes in four views', async () => {
    let views = 0
    await look(
      page('<p>Words to read</p><svg><text y="20" fill="currentColor">and a label</text></svg>'),
      async () => {
        views++
      },
    )
    expect(views).toBe(4)
  })

  test.each([
    ['a picture from elsewhere', '<img src="elsewhere.png" alt="">', '', /request: file:.*elsewhere\.png/],
    [
      'a style from the network',
      '<style>@import url(http://127.0.0.1:9/x.css)</style>',
      '',
      /request: http:\/\/127/,
    ],
    ['a warning', '<script>console.warn("hear")</script>', '', /console: hear/],
    ['an error', '<script>throw new Error("lost")</script>', '', /error: lost/],
    ['what is wide', '<div style="width: 1000px">wide</div>', '', /at 400 pixels, light: the body's width/],
    ['grey upon white', '<p>pale</p>', 'p { color: #999 }', /light: faint text(.|\n)*pale/],
    ['black by night', '<p>dark</p>', 'p { color: #000 }', /400 pixels, dark: faint text(.|\n)*dark/],
    ['white when printed', '<p>white</p>', '@media print { p { color: #fff } }', /printed: faint text/],
    [
      'a label upon a bar of its colour',
      '<svg><rect width="200" height="60" fill="#777" fill-opacity=".9"/><text x="9" y="30" fill="#666">bar</text></svg>',
      '',
      /faint text(.|\n)*bar/,
    ],
    ['a faded paragraph', '<div><p>faded</p></div>', 'div { opacity: 0.4 }', /faint text(.|\n)*faded/],
    [
      'text far down and to the side',
      '<div style="height: 3000px"></div><div style="overflow: auto"><p>far</p></div>',
      'p { margin-left: 2000px; width: 50px; color: #aaa }',
      /faint text(.|\n)*far/,
    ],
    [
      'text upon an image',
      '<p>image</p>',
      'p { background: linear-gradient(#fff, #000) }',
      /faint text(.|\n)*image/,
    ],
  ])('%s is reported', async (_, body, style, message) => {
    await expect(look(page(body, style))).rejects.toThrow(message)
  })

  test('invisible elements may have any colour', async () => {
    const style = 'p { color: #fff0 } .none { display: none } .hidden { visibility: hidden }'
    await look(
      page(
        '<p class="none">a</p><p class="hidden">b</p><details><summary>c</summary><p>d</p></details>',
        style,
      ),
    )
  })
})
