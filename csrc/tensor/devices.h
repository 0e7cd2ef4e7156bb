// Devices beyond the CPU: their modules are loaded on first use.
#pragma once

#include "base/device.h"

namespace weft {

// The functions of a device, with its module loaded; RuntimeError saying why there is no such device here.
DeviceRuntime& use_device(Device device);

}  // namespace weft
