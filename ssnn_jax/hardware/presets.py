"""Presets: parameters of resistive devices from the literature."""

from ssnn_jax.hardware.device_config import DeviceConfig

PRESETS = {
  # Specification of Gokmen and Vlasov (2016), with bounds scaled to 1 and 1250
  # states. Source: aihwkit, GokmenVlasovPresetDevice.
  'gokmen_vlasov': DeviceConfig(
    dw_min=0.0016,
    dw_min_dtod=0.3,
    dw_min_std=0.3,
    up_down_dtod=0.01,
    w_max=1.0,
    w_max_dtod=0.3,
    w_min=-1.0,
    w_min_dtod=0.3,
  ),
  # ReRAM with soft bounds, shifted to its symmetry point; a loose fit to Gong
  # et al., Nature Communications 9:2102 (2018). Source: aihwkit,
  # ReRamSBPresetDevice, without its write noise (`write_noise_std`).
  'reram': DeviceConfig(
    dw_min=0.002,
    dw_min_dtod=0.3,
    dw_min_std=3.75,
    mult_noise=False,
    up_down_dtod=0.01,
    w_max=1.25,
    w_max_dtod=0.3 / 1.25,
    w_min=-0.75,
    w_min_dtod=0.3 / 0.75,
    gamma_up=1.0,
    gamma_down=1.0,
  ),
  # Lithium-based ECRAM, shifted to its symmetry point; a fit to Tang et al.,
  # IEDM (2018). Source: aihwkit, EcRamPresetDevice.
  'ecram': DeviceConfig(
    dw_min=0.002,
    dw_min_dtod=0.1,
    dw_min_std=0.3,
    up_down_dtod=0.01,
    w_max=1.1724,
    w_max_dtod=0.05,
    w_min=-0.8276,
    w_min_dtod=0.05,
    gamma_up=0.1153,
    gamma_up_dtod=0.05,
    gamma_down=0.5085,
    gamma_down_dtod=0.05,
    mean_bound_reference=True,
  ),
  # Metal-oxide ECRAM, shifted to its symmetry point; after Kim et al., IEDM
  # (2019). Source: aihwkit, EcRamMOPresetDevice.
  'ecram_mo': DeviceConfig(
    dw_min=2.8214e-4,
    dw_min_dtod=0.1,
    dw_min_std=2.0,
    up_down_dtod=0.01,
    w_max=1.1714,
    w_max_dtod=0.05,
    w_min=-0.8286,
    w_min_dtod=0.05,
    gamma_up=0.4152,
    gamma_up_dtod=0.05,
    gamma_down=0.7342,
    gamma_down_dtod=0.05,
    mean_bound_reference=True,
  ),
}
