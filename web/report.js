// What a report does beyond being read: the theme, reading values off charts by pointer or arrow keys, downloads of
// the data inside. Everything it shows stands in the page's own tables.

const toggle = /** @type {HTMLButtonElement} */ (document.querySelector('[data-theme-toggle]'))
const darkByDefault = matchMedia('(prefers-color-scheme: dark)')

function isDark() {
  const chosen = document.documentElement.dataset.theme
  return chosen === undefined ? darkByDefault.matches : chosen === 'dark'
}

function labelToggle() {
  toggle.textContent = isDark() ? 'Light' : 'Dark'
}

toggle.hidden = false
toggle.addEventListener('click', () => {
  document.documentElement.dataset.theme = isDark() ? 'light' : 'dark'
  labelToggle()
})
darkByDefault.addEventListener('change', labelToggle)
labelToggle()

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (
  document.querySelectorAll('[data-download]')
)) {
  button.hidden = false
  button.addEventListener('click', () => download(button.dataset))
}

/** @param {DOMStringMap} wanted */
function download({ download: id = '', name = '', type = '' }) {
  const text = document.getElementById(id)?.textContent ?? ''
  const content = type === 'text/csv' ? JSON.parse(text).csv : text
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([content], { type }))
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

for (const chart of /** @type {NodeListOf<SVGSVGElement>} */ (document.querySelectorAll('svg[data-table]'))) {
  readable(chart)
}

/** @param {SVGSVGElement} chart */
function readable(chart) {
  const figure = /** @type {HTMLElement} */ (chart.closest('figure'))
  const table = /** @type {HTMLTableElement} */ (document.getElementById(chart.dataset.table ?? ''))
  const cursor = /** @type {SVGLineElement} */ (chart.querySelector('.cursor'))
  const rows = /** @type {HTMLTableSectionElement} */ (table.tBodies[0]).rows
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])]
  const left = Number(chart.dataset.left)
  const right = Number(chart.dataset.right)
  const tip = document.createElement('div')
  tip.className = 'tip'
  tip.setAttribute('role', 'status')
  tip.hidden = true
  figure.append(tip)
  let at = -1

  /** @param {number} index */
  function show(index) {
    at = Math.max(0, Math.min(rows.length - 1, index))
    const cells = [.../** @type {HTMLTableRowElement} */ (rows[at]).cells]
    tip.replaceChildren(
      ...cells.map((cell, column) => {
        const line = document.createElement('p')
        if (column === 0) line.textContent = cell.textContent
        else {
          const value = document.createElement('b')
          value.textContent = cell.textContent
          line.append(value, heads[column]?.textContent ?? '')
        }
        return line
      }),
    )
    const x = left + ((right - left) * (at + 0.5)) / rows.length
    cursor.setAttribute('x1', String(x))
    cursor.setAttribute('x2', String(x))
    tip.hidden = false
    const box = chart.getBoundingClientRect()
    const frame = figure.getBoundingClientRect()
    const place = box.left - frame.left + (x / chart.viewBox.baseVal.width) * box.width
    const beside = place > frame.width / 2 ? place - tip.offsetWidth - 12 : place + 12
    tip.style.left = `${Math.max(0, Math.min(frame.width - tip.offsetWidth, beside))}px`
    tip.style.top = `${box.top - frame.top + 10}px`
  }

  function hide() {
    tip.hidden = true
    cursor.setAttribute('x1', '-9')
    cursor.setAttribute('x2', '-9')
    at = -1
  }

  chart.addEventListener('pointermove', (event) => {
    const box = chart.getBoundingClientRect()
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width
    if (x < left || x > right) hide()
    else show(Math.floor(((x - left) / (right - left)) * rows.length))
  })
  chart.addEventListener('pointerleave', hide)
  chart.addEventListener('blur', hide)
  chart.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (event.key === 'Escape') hide()
    if (step === undefined) return
    event.preventDefault()
    show(at < 0 ? 0 : at + step)
  })
}
