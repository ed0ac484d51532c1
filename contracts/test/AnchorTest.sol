// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {StateSetAnchor} from "../StateSetAnchor.sol";
import {AnchorKit} from "./AnchorKit.sol";

/// @title A test that begins with an empty anchor with two sequencers
abstract contract AnchorTest is AnchorKit {
    function setUp() public virtual {
        address[] memory sequencers = new address[](2);
        sequencers[0] = FIRST;
        sequencers[1] = SECOND;
        anchored = new StateSetAnchor(OWNER, sequencers);
        vm.warp(NOW);
    }
}
