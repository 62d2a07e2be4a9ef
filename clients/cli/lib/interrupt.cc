// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/interrupt.h"

namespace probed::cli {

void Interrupt::Fire() {
  const std::lock_guard lock(mutex_);
  fired_ = true;
  for (grpc::ClientContext* call : calls_) call->TryCancel();
}

Interrupt::Scope::Scope(Interrupt& interrupt, grpc::ClientContext& context) : interrupt_(interrupt), context_(context) {
  const std::lock_guard lock(interrupt_.mutex_);
  interrupt_.calls_.insert(&context_);
  if (interrupt_.fired_) context_.TryCancel();
}

Interrupt::Scope::~Scope() {
  const std::lock_guard lock(interrupt_.mutex_);
  interrupt_.calls_.erase(&context_);
}

}  // namespace probed::cli
