"""GLSL of the renderer: one place for the lens, one for the light."""

from __future__ import annotations

VERTEX = """#version 330
in vec3 place; in vec3 normal; in vec3 colour; in vec3 texel; in float number;
uniform mat3 rotation; uniform vec3 eye; uniform vec4 lens; uniform vec2 scale; uniform vec4 crop;
uniform mat4 shadow; uniform vec4 mirror; uniform float mirrored;
out vec3 at; out vec3 facing; out vec3 shade; out vec3 uvl; out vec4 lit; flat out int id;
void main() {
  at = place; facing = normal; shade = colour; uvl = texel; id = int(number + 0.5); lit = shadow *
  vec4(place, 1);
  vec3 there = place - mirrored * 2.0 * (dot(place, mirror.xyz) - mirror.w) * mirror.xyz;
  vec3 local = rotation * (there - eye);
  float slope = 1.0 + 3.0 * lens.x * lens.z * lens.z + 5.0 * lens.y * lens.z * lens.z * lens.z * lens.z;
  float bend = slope;
  if (local.z > 0.05) {
    float r = length(local.xy) / local.z, inner = min(r, lens.z), r2 = inner * inner;
    float bent = inner * (1.0 + lens.x * r2 + lens.y * r2 * r2) + slope * max(r - lens.z, 0.0);
    bend = r > 1e-6 ? bent / r : 1.0;
  }
  vec4 clip = vec4(local.x * bend * scale.x, -local.y * bend * scale.y, 1.0034 * local.z - 0.1003, local.z);
  clip.xy = clip.xy * crop.xy + crop.zw * clip.w;
  gl_Position = clip;
}"""
"""`lens` is k1, k2 and the radius from which the model is straight; `crop` fits a part of the picture."""

FRAGMENT = """
in vec3 at; in vec3 facing; in vec3 shade; in vec3 uvl; in vec4 lit; flat in int id;
uniform sampler2DArray cloth; uniform sampler2D dark; uniform sampler2D glass; uniform vec3 eye; uniform vec4
lamps[LAMPS];
uniform vec3 ambient; uniform vec3 lamp_colour; uniform vec4 mirror; uniform float mirrored; uniform vec2
size;
out vec4 result;
void main() {
#ifdef MIRROR
  if (mirrored > 0.5 && dot(at, mirror.xyz) - mirror.w < 0.02) discard;
  if (uvl.z < -0.5) {
    result = mirrored > 0.5 ? vec4(0.3, 0.3, 0.3, 1) : vec4(texture(glass, gl_FragCoord.xy / size).rgb * 0.9,
    1); return;
  }
#endif
  vec3 n = normalize(facing), v = normalize(eye - at);
  if (dot(n, v) < 0.0 && mirrored < 0.5) n = -n;
#ifdef FOLDS
  vec2 folds = texture(cloth, vec3(uvl.xy * vec2(3.1, 1.3) + float(id) * 0.17, 1.0)).rg - 0.5;
  n = normalize(n + 0.9 * vec3(folds.x, folds.x * 0.4, folds.y));
#endif
  vec3 base = texture(cloth, uvl).rgb * shade; base *= 0.65 + 0.35 * base;
  vec3 l = lit.xyz * 0.5 + 0.5;
  float open = (texture(dark, l.xy - 0.003).r < l.z - 0.004 ? 0.0 : 0.5) + (texture(dark, l.xy + 0.003).r <
  l.z - 0.004 ? 0.0 : 0.5);
  open = at.z > 2.4 ? 1.0 : open;
  vec3 sum = ambient * (0.62 + 0.38 * n.z);
  for (int k = 0; k < LAMPS; k++) {
    vec3 d = lamps[k].xyz - at; float r2 = dot(d, d); d *= inversesqrt(r2);
    float fall = lamps[k].w / (1.0 + 0.25 * r2);
    float gleam = max(dot(n, normalize(d + v)), 0.0); gleam *= gleam; gleam *= gleam; gleam *= gleam; gleam
    *= gleam;
    sum += lamp_colour * fall * ((0.25 + 0.75 * max(dot(n, d), 0.0)) * (0.5 + 0.5 * open) + 0.08 * gleam);
  }
  result = vec4(pow(clamp(base * sum, 0.0, 1.0), vec3(0.4545)), 1);
}"""


def painting(lamps: int, folds: bool, mirror: bool) -> str:
    """The fragment shader with what a shop needs of it: a CPU draws each line for every pixel."""
    flags = [f"#define LAMPS {lamps}"] + ["#define FOLDS"] * folds + ["#define MIRROR"] * mirror
    return "#version 330\n" + "\n".join(flags) + FRAGMENT


NUMBERS = """#version 330
flat in int id; out int result;
void main() { result = id; }"""

SHADOW = """#version 330
in vec3 place; uniform mat4 shadow;
void main() { gl_Position = shadow * vec4(place, 1); }"""

NOTHING = """#version 330
void main() {}"""
