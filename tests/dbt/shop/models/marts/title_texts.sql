{% set share = "%d%%" % 7 -%}
select
  {% for letter, n in modules.itertools.product(['a', 'b'], [1, 2]) %}
  '{{ "%s-%02d" % (letter, n) }}' as {{ "%s%s" | format(letter, n) }},
  {% endfor %}
  '{{ modules.itertools.chain(["x"], ["y", "z"]) | join("+") }}' as chained,
  '{{ share }}' as share, {{ 17 % 5 * 2 }} as rest, code, title, heading
from {{ ref('product_titles') }} join {{ ref('product_titles', v=2) }} using (code)
