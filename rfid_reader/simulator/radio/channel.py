"""The radio channel between one antenna and hanging tags, and what a reader measures of it.

One-way field gain, relative to free space over 1 m times 4 pi / wavelength:

    h = beam * (block * e^-jkd / d + sum_s a_s e^-jk(d + x_s) / d) + sum_p beam_p g_p e^-jk(d_ap + d_pt) /
    (d_ap d_pt)

the direct path (with loss where a body stands in it), static scatterers s of the room, and everything that
moves, p (bodies, arms, the hand at a garment), as a scatterer of radar cross-section 4 pi g_p^2. The antenna
looks straight down unless told otherwise; beam is its pattern.
Backscatter goes the way twice, so the received signal is h^2 and its phase is twice that of h (Dobkin, The RF
in RFID, chapters 3 and 5). The reader adds a phase offset per antenna and channel. A circularly polarised
antenna turns a rotation of the tag into twice that angle of phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LIGHT_M_PER_S = 299_792_458.0
PERSON_HEIGHT_M = 1.75
BODY_RADIUS_M = 0.25
NEAREST_M = 0.25
NEAREST_LIMB_M = 0.12
DOWN = np.array([0.0, 0.0, -1.0])
RSSI_STEP_DB = 0.5
PHASE_STEPS = 4096
JUMP_SNR_DB = 14.0
NOISE_LEVEL_DBM = -62.5
PHASE_NOISE_FLOOR_RAD, RSSI_NOISE_FLOOR_DB = 0.009, 0.04
MOST_PHASE_NOISE_RAD = 0.8


@dataclass(frozen=True)
class Radio:
    """Link budget and noise. Losses are two-way where they say so, in dB; gains in dBi.

    antenna_gain_dbi already holds the 3 dB of circular against linear polarisation. body_gain is g of the
    module's formula (0.3 m is a cross-section of 1.1 m2), limb_gain_m that of a forearm (0.05 m: 0.03 m2).
    phase_noise_rad and rssi_noise_db are standard deviations of a read at NOISE_LEVEL_DBM; they grow tenfold
    with 20 dB less of signal and have a floor (fitted to still tags of rfid-r420-locate: 0.08 rad, and RSSI
    noise of 0.55 times the phase noise in dB). As the signal nears noise_floor_dbm, so grows the chance that
    a read's phase is half a turn off, up to pi_jump_share: on the weak links of rfid-cwnu-rda 0.13 of the
    reads at -77 dBm, 0.07 at -72, 0.007 at -67 (`bench flips --realism`). With pi_ambiguity every read's
    phase is only known modulo pi.
    """

    power_dbm: float = 30.0
    antenna_gain_dbi: float = 5.5
    tag_gain_dbi: float = 1.5
    tag_sensitivity_dbm: float = -17.0
    backscatter_loss_db: float = 10.0
    beam_width_deg: float = 80.0
    body_gain_m: float = 0.30
    limb_gain_m: float = 0.05
    body_loss_db: float = 9.0
    rssi_noise_db: float = 0.38
    phase_noise_rad: float = 0.08
    noise_floor_dbm: float = -86.0
    pi_ambiguity: bool = False
    pi_jump_share: float = 0.14


@dataclass(frozen=True)
class Scatterers:
    """Static multipath of each antenna-tag pair: relative amplitude (antennas, tags, paths), complex, and
    excess length (antennas, tags, paths) in metres."""

    amplitude: NDArray[np.complex128]
    excess_m: Array

    @classmethod
    def random(cls, antennas: int, tags: int, rng: np.random.Generator, ratio: float = 0.35) -> Scatterers:
        """Six echoes a pair, Rayleigh, together `ratio` of the direct field (Rician K = 1 / ratio^2)."""
        shape = (antennas, tags, 6)
        scale = ratio / math.sqrt(2 * shape[2])
        amplitude = scale * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
        return cls(np.asarray(amplitude, np.complex128), rng.exponential(4.0, shape) + 0.3)


def _distance(a: Array, b: Array) -> Array:
    return np.asarray(np.sqrt(((a - b) ** 2).sum(-1)), np.float64)


def _blockage(antenna: Array, tag_xyz: Array, people_xy: Array) -> Array:
    """Depth (n,) of bodies standing in the direct path: antenna (3,), tags (n, 3), people (p, n, 2)."""
    way = tag_xyz[:, :2] - antenna[:2]
    length2 = np.maximum((way**2).sum(-1), 1e-6)
    share = np.clip(((people_xy - antenna[:2]) * way).sum(-1) / length2, 0.0, 1.0)
    nearest = antenna[:2] + share[..., None] * way
    aside_m = _distance(people_xy, nearest)
    height_m = antenna[2] + share * (tag_xyz[:, 2] - antenna[2])
    shadow = np.exp(-((aside_m / BODY_RADIUS_M) ** 2)) / (1 + np.exp((height_m - PERSON_HEIGHT_M) / 0.08))
    return np.asarray(shadow.sum(0), np.float64)


def beam(radio: Radio, antenna_xyz: Array, target_xyz: Array, facing: Array = DOWN) -> Array:
    """Field factor of an antenna that looks along the unit vector `facing`, at targets (..., 3): -3 dB at
    half its beam width, at least -20 dB.
    """
    way = target_xyz - antenna_xyz
    cosine = (way @ facing) / np.maximum(np.sqrt((way**2).sum(-1)), 1e-3)
    angle_deg = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return np.asarray(
        10 ** (-np.minimum(12 * (angle_deg / radio.beam_width_deg) ** 2, 20.0) / 20), np.float64
    )


def _echo(
    lit: Array, wave: Array, antenna_xyz: Array, scatterer_xyz: Array, to_tag_m: Array
) -> NDArray[np.complex128]:
    from_antenna_m = np.maximum(_distance(scatterer_xyz, antenna_xyz), NEAREST_M)
    return np.asarray(lit * np.exp(-1j * wave * (from_antenna_m + to_tag_m)) / (from_antenna_m * to_tag_m))


def one_way_gain(
    radio: Radio,
    antenna_xyz: Array,
    tag_xyz: Array,
    people_xy: Array,
    amplitude: NDArray[np.complex128],
    excess_m: Array,
    frequency_hz: Array,
    limbs_xyz: Array | None = None,
    facing: Array = DOWN,
) -> NDArray[np.complex128]:
    """Complex one-way field gain (n,) of n tag positions (n, 3) at n frequencies.

    people_xy is (people, n, 2), NaN for those who are away; limbs_xyz (limbs, n, 3) likewise; amplitude and
    excess_m are (n, paths).
    """
    wavelength_m = LIGHT_M_PER_S / frequency_hz
    wave = 2 * math.pi / wavelength_m
    direct_m = np.maximum(_distance(tag_xyz, antenna_xyz), NEAREST_M)
    here = ~np.isnan(people_xy[..., 0])
    standing = np.where(here[..., None], people_xy, 1e6)
    block = 10 ** (-radio.body_loss_db * np.minimum(_blockage(antenna_xyz, tag_xyz, standing), 1.5) / 20)
    field = block * np.exp(-1j * wave * direct_m) / direct_m
    field = (
        field + (amplitude * np.exp(-1j * wave[:, None] * (direct_m[:, None] + excess_m))).sum(-1) / direct_m
    )
    field = field * beam(radio, antenna_xyz, tag_xyz, facing)
    if len(standing):
        chest_m = np.minimum(1.1, tag_xyz[:, 2])
        body = np.concatenate([standing, np.broadcast_to(chest_m[None, :, None], (*here.shape, 1))], -1)
        to_tag_m = np.maximum(_distance(body, tag_xyz) - BODY_RADIUS_M / 2, NEAREST_M)
        echo = _echo(
            radio.body_gain_m * beam(radio, antenna_xyz, body, facing), wave, antenna_xyz, body, to_tag_m
        )
        field = field + np.where(here, echo, 0).sum(0)
    if limbs_xyz is not None and len(limbs_xyz):
        there = ~np.isnan(limbs_xyz[..., 0])
        limb = np.where(there[..., None], limbs_xyz, 1e6)
        to_tag_m = np.maximum(_distance(limb, tag_xyz), NEAREST_LIMB_M)
        echo = _echo(
            radio.limb_gain_m * beam(radio, antenna_xyz, limb, facing), wave, antenna_xyz, limb, to_tag_m
        )
        field = field + np.where(there, echo, 0).sum(0)
    return np.asarray(field * wavelength_m / (4 * math.pi), np.complex128)


def turn_loss_db(turn_rad: Array) -> Array:
    """Two-way loss of a label turned away by `turn_rad`: a dipole's pattern, at most 14 dB."""
    loss_db = -40 * np.log10(np.maximum(np.abs(np.cos(0.5 * turn_rad)), 0.05))
    return np.asarray(np.minimum(loss_db, 14.0), np.float64)


@dataclass(frozen=True)
class LinkBudget:
    """What a set of tags would get and give: power at the tag, backscatter at the reader (dBm), and its phase
    (rad) before noise, offsets and wrapping."""

    at_tag_dbm: Array
    at_reader_dbm: Array
    phase_rad: Array


def link(
    radio: Radio, power_dbm: float, gain: NDArray[np.complex128], turn_rad: Array, loss_db: Array
) -> LinkBudget:
    """Link budget over a one-way gain; loss_db is two-way (garments, hand)."""
    path_db = 20 * np.log10(np.maximum(np.abs(gain), 1e-9))
    turned_db = turn_loss_db(turn_rad)
    one_way_db = radio.antenna_gain_dbi + radio.tag_gain_dbi + path_db
    lost_db = loss_db + turned_db
    return LinkBudget(
        at_tag_dbm=power_dbm + one_way_db - lost_db / 2,
        at_reader_dbm=power_dbm + 2 * one_way_db - lost_db - radio.backscatter_loss_db,
        phase_rad=2 * np.angle(gain) + 2 * turn_rad,
    )


def measure(
    radio: Radio, at_reader_dbm: Array, phase_rad: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """RSSI and phase as the reader reports them: noisy, quantised (0.5 dB; 1/4096 turn), phase in 0..2 pi."""
    snr_db = np.maximum(at_reader_dbm - radio.noise_floor_dbm, 1.0)
    weak = 10 ** ((NOISE_LEVEL_DBM - at_reader_dbm) / 20)
    rssi_noise_db = np.hypot(RSSI_NOISE_FLOOR_DB, radio.rssi_noise_db * weak)
    phase_noise_rad = np.minimum(
        np.hypot(PHASE_NOISE_FLOOR_RAD, radio.phase_noise_rad * weak), MOST_PHASE_NOISE_RAD
    )
    rssi_dbm = at_reader_dbm + rng.normal(size=len(snr_db)) * rssi_noise_db
    noisy = -phase_rad + rng.normal(size=len(snr_db)) * phase_noise_rad
    half_turn = rng.random(len(snr_db)) < radio.pi_jump_share / (1 + np.exp((snr_db - JUMP_SNR_DB) / 1.5))
    if radio.pi_ambiguity:
        half_turn = rng.random(len(snr_db)) < 0.5
    noisy = noisy + math.pi * half_turn
    steps = np.round(noisy / (2 * math.pi) * PHASE_STEPS) % PHASE_STEPS
    return np.round(rssi_dbm / RSSI_STEP_DB) * RSSI_STEP_DB, steps * (2 * math.pi / PHASE_STEPS)
