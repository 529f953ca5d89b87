import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { expect } from 'vitest'
import { faintText } from './contrast.js'

/** How a reader looks at a page. */
export interface View {
  /** Of the window, in pixels. */
  width: number
  colorScheme: 'light' | 'dark'
}

/** A phone and a desk, by day and by night. */
export const views: View[] = [400, 1400].flatMap(width => [
  { width, colorScheme: 'light' },
  { width, colorScheme: 'dark' },
])

/** The least contrast of text that WCAG 2.2 wants at level AA. */
const CONTRAST = 4.5

/**
 * Opens a file in each view and lets `check` read it and act in it. Then expects what holds for every page: no request except
 * the one for the page; no warning or error on the console; nothing wider than the window; text with enough contrast to its
 * background; and a printed form.
 */
export async function inEachView(
  browser: Browser,
  file: string,
  check: (page: Page, view: View) => Promise<void>,
): Promise<void> {
  for (const view of views) {
    const { width, colorScheme } = view
    const seen = `${file} at ${width} pixels, ${colorScheme}`
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme })
    try {
      const page = await context.newPage()
      const complaints = listen(page, pathToFileURL(file).href)
      await page.goto(pathToFileURL(file).href)
      await check(page, view)
      expect(await page.evaluate(widthOf), `${seen}: the body's width`).toBeLessThanOrEqual(width)
      await expectContrast(page, seen)
      await page.emulateMedia({ media: 'print' })
      await expectContrast(page, `${seen}, printed`)
      const pdf = await page.pdf({ format: 'A4' })
      expect(pdf.subarray(0, 5).toString(), `${seen}: printed`).toBe('%PDF-')
      if (complaints.length > 0) throw new Error(`${seen}:\n${complaints.join('\n')}`)
    } finally {
      await context.close()
    }
  }
}

async function expectContrast(page: Page, seen: string): Promise<void> {
  const faint = await page.evaluate(faintText, CONTRAST)
  if (faint.length > 0) throw new Error(`${seen}: faint text:\n${faint.join('\n')}`)
}

/** What a page asks for and complains about, as it happens; the page itself and data that it holds are no requests. */
function listen(page: Page, itself: string): string[] {
  const complaints: string[] = []
  page.on('request', request => {
    const url = request.url()
    if (url !== itself && !url.startsWith('data:')) complaints.push(`request: ${url}`)
  })
  page.on('console', message => {
    if (['warning', 'error', 'assert'].includes(message.type())) complaints.push(`console: ${message.text()}`)
  })
  page.on('pageerror', error => complaints.push(`error: ${error.message}`))
  return complaints
}

/** In the page: what a person would have to scroll through from side to side. */
function widthOf(): number {
  return Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)
}
