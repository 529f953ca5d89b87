import type { ReadingData } from './data.js'

/** The page's script: it tracks the selected token and shows the prediction after it. */

interface View {
  data: ReadingData
  strengths: Uint8Array
  tokens: HTMLElement[]
  text: HTMLElement
  place: HTMLElement
  bars: HTMLElement[]
  status: HTMLElement
}

const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0 })

/** The number of tokens that screen readers read for a prediction. */
const NAMED = 3

const readings: ReadingData[] = JSON.parse(document.getElementById('readings')!.textContent!)
const views = readings.map((data, r): View => {
  const section = document.getElementById(`reading-${r}`)!
  const find = (selector: string) => section.querySelector<HTMLElement>(selector)!
  return {
    data,
    strengths: Uint8Array.from(atob(data.strengths), letter => letter.charCodeAt(0)),
    tokens: [...section.querySelectorAll<HTMLElement>('.token')],
    text: find('.text'),
    place: find('.place'),
    bars: [...section.querySelectorAll<HTMLElement>('.bars li')],
    status: find('.status'),
  }
})

/** The position that is shown while no other token is pointed at: the start of a token. */
let pinned = Number.POSITIVE_INFINITY
let shownPlace = pinned

for (const view of views) listen(view)
follow()

/** The start of an event's token; null if the event is not on a token. */
function placeOf({ target }: Event): number | null {
  const token = target instanceof Element ? target.closest<HTMLElement>('.token') : null
  if (token === null) return null
  const { tokens, data } = views.find(({ text }) => text.contains(token))!
  return data.starts[tokens.indexOf(token)]!
}

/**
 * Shows the token under the pointer. Events without movement are ignored: they occur when the page scrolls, for example after a
 * key, and another token comes under the pointer.
 */
function follow(): void {
  let x = Number.NaN
  let y = Number.NaN
  document.addEventListener('pointermove', event => {
    if (event.clientX === x && event.clientY === y) return
    x = event.clientX
    y = event.clientY
    const place = placeOf(event)
    // Between two tokens, the last one stays selected.
    if (place !== null) showAll(place, false)
    else if (!(event.target instanceof Element && event.target.matches('.text'))) showAll(pinned, false)
  })
  document.documentElement.addEventListener('pointerleave', () => showAll(pinned, false))
}

function listen({ text, tokens, data }: View): void {
  text.addEventListener('click', event => {
    pinned = placeOf(event) ?? pinned
    showAll(pinned, true)
  })
  text.addEventListener('keydown', event => {
    const last = data.predictions.length - 1
    const at = predictionAt(data, pinned)
    const goals: Record<string, number> = {
      ...{ ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1 },
      ...{ PageUp: at - 10, PageDown: at + 10, Home: 0, End: last, Escape: last },
    }
    const goal = goals[event.key]
    if (goal === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    const position = positionOf(data, Math.min(Math.max(goal, 0), last))
    pinned = data.starts[position]!
    showAll(pinned, true)
    tokens[position]!.scrollIntoView({ block: 'nearest' })
  })
}

/** Shows the same position in every reading; their tokens may differ. `speaks`: whether screen readers read it. */
function showAll(place: number, speaks: boolean): void {
  if (place === shownPlace && !speaks) return
  shownPlace = place
  for (const view of views) show(view, predictionAt(view.data, place), speaks)
}

/** The index of the token before prediction p. */
function positionOf({ starts, predictions }: ReadingData, p: number): number {
  return p < predictions.length - 1 ? p : starts.length - 1
}

/** The prediction after the last token that begins at or before `place`; the last prediction if that token has none. */
function predictionAt({ starts, predictions }: ReadingData, place: number): number {
  const position = Math.max(
    0,
    starts.findLastIndex(start => start <= place),
  )
  return Math.min(position, predictions.length - 1)
}

function show({ data, strengths, tokens, place, bars, status }: View, p: number, speaks: boolean): void {
  const position = positionOf(data, p)
  const first = (p * (p + 1)) / 2
  const own = strengths.subarray(first, first + position + 1)
  tokens.forEach((token, t) => {
    token.style.setProperty('--strength', String((own[t] ?? 0) / 255))
    token.classList.toggle('unread', t > position)
    token.classList.toggle('current', t === position)
  })
  const word = tokens[position]!.textContent
  const all = position === tokens.length - 1
  place.textContent = all ? `After all ${tokens.length} tokens` : `After token ${position + 1}, “${word}”`
  const prediction = data.predictions[p]!
  bars.forEach((bar, i) => {
    const [name, probability] = prediction[i]!
    bar.style.setProperty('--length', String(probability))
    bar.querySelector('.name')!.textContent = name
    bar.querySelector('.value')!.textContent = percent.format(probability)
  })
  if (!speaks) return
  const order = [...own.keys()].sort((a, b) => own[b]! - own[a]!)
  const words = order.slice(0, NAMED).map(t => tokens[t]!.textContent)
  const [name, probability] = prediction[0]!
  status.textContent = `${place.textContent}: ${name}, ${percent.format(probability)}. It depends most on ${words.join(', ')}.`
}
